//! What it means for a message that the library could not write it.

use whatsapp_rust::{ClientError, IqError, SendError};

use super::send::{NotSent, SendOutcome, Silence};

/// What an error of the library's send path says about the message.
pub(super) fn unwritten(error: &SendError) -> SendOutcome {
    let not_sent = match error {
        SendError::NotLoggedIn => NotSent::NotConnected,
        SendError::InvalidRequest(problem) => NotSent::Invalid(problem.clone()),
        SendError::Iq(error) => refused_query(error),
        SendError::Client(error) => return unwritten_by_client(error),
        SendError::Internal(error) => {
            // Layers below still wrap typed errors into untyped ones.
            if let Some(error) = error.chain().find_map(|cause| cause.downcast_ref()) {
                return unwritten_by_client(error);
            }
            match error.chain().find_map(|cause| cause.downcast_ref()) {
                Some(error) => refused_query(error),
                None => NotSent::Failed(format!("{error:#}")),
            }
        }
        other => NotSent::Failed(other.to_string()),
    };
    SendOutcome::NotSent(not_sent)
}

fn unwritten_by_client(error: &ClientError) -> SendOutcome {
    match error {
        ClientError::NotConnected | ClientError::NotLoggedIn | ClientError::Socket(_) => {
            SendOutcome::NotSent(NotSent::NotConnected)
        }
        // The socket broke under the write: some of it, or all of it, may have left.
        ClientError::EncryptSend(error) if error.is_transport_unavailable() => {
            SendOutcome::Unacked(Silence::LinkLost)
        }
        ClientError::Iq(error) => SendOutcome::NotSent(refused_query(error)),
        other => SendOutcome::NotSent(NotSent::Failed(other.to_string())),
    }
}

fn refused_query(error: &IqError) -> NotSent {
    match error {
        IqError::ServerError { code, backoff, .. } => NotSent::Refused {
            code: *code,
            wait: *backoff,
        },
        IqError::NotConnected
        | IqError::Socket(_)
        | IqError::EncryptSend(_)
        | IqError::ClientState(_)
        | IqError::Disconnected(_)
        | IqError::InternalChannelClosed => NotSent::NotConnected,
        other => NotSent::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whatsapp_rust::socket::error::EncryptSendError;

    fn server(code: u16) -> IqError {
        IqError::ServerError {
            code,
            text: String::new(),
            error_type: None,
            backoff: Some(9),
        }
    }

    #[test]
    fn errors_of_the_send_path_keep_their_meaning() {
        let refused = |code| {
            SendOutcome::NotSent(NotSent::Refused {
                code,
                wait: Some(9),
            })
        };
        let down = SendOutcome::NotSent(NotSent::NotConnected);
        for (error, outcome) in [
            (SendError::NotLoggedIn, down.clone()),
            (SendError::Client(ClientError::NotConnected), down.clone()),
            (SendError::Iq(IqError::InternalChannelClosed), down.clone()),
            (
                SendError::Internal(anyhow::Error::new(ClientError::NotConnected).context("x")),
                down,
            ),
            (SendError::Iq(server(404)), refused(404)),
            (
                SendError::Internal(anyhow::Error::new(server(429)).context("x")),
                refused(429),
            ),
            (
                SendError::InvalidRequest("no".into()),
                SendOutcome::NotSent(NotSent::Invalid("no".into())),
            ),
            (
                SendError::Client(EncryptSendError::channel_closed().into()),
                SendOutcome::Unacked(Silence::LinkLost),
            ),
            (
                SendError::Iq(IqError::Timeout),
                SendOutcome::NotSent(NotSent::Failed("IQ request timed out".into())),
            ),
        ] {
            assert_eq!(unwritten(&error), outcome, "{error}");
        }
    }
}
