//! Polls, votes and how polls stand.

use gateway_shared::events::inbound::{Content, OptionResult, Poll, PollResults, PollVote};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::{PollCreationMessage, PollResultSnapshotMessage, PollType};

use super::reading::Reading;
use crate::link::vote::SealedVote;

/// Reads a field that has to do with polls.
pub(super) fn read(base: &wa::Message, field: &str) -> Option<Reading> {
    if let Some(poll) = creation(base, field) {
        let content = Content::Poll(content(poll));
        return Some(Reading::of(content, poll.name.clone()));
    }
    match field {
        "pollUpdateMessage" => {
            let update = base.poll_update_message.as_option()?;
            let key = update.poll_creation_message_key.as_option();
            let reading = Reading::of(Content::PollVote(PollVote::default()), None).about(key);
            let vote = update.vote.as_option();
            let vote = vote.and_then(|vote| {
                let poll = key?.id.clone()?;
                let (payload, iv) = (vote.enc_payload.clone()?, vote.enc_iv.clone()?);
                Some(SealedVote::new(poll, payload, iv))
            });
            Some(Reading { vote, ..reading })
        }
        "pollResultSnapshotMessage" => base.poll_result_snapshot_message.as_option().map(snapshot),
        "pollResultSnapshotMessageV3" => base
            .poll_result_snapshot_message_v3
            .as_option()
            .map(snapshot),
        _ => None,
    }
}

/// The poll that a field creates, whichever version it is.
fn creation<'a>(base: &'a wa::Message, field: &str) -> Option<&'a PollCreationMessage> {
    match field {
        "pollCreationMessage" => &base.poll_creation_message,
        "pollCreationMessageV2" => &base.poll_creation_message_v2,
        "pollCreationMessageV3" => &base.poll_creation_message_v3,
        "pollCreationMessageV5" => &base.poll_creation_message_v5,
        "pollCreationMessageV6" => &base.poll_creation_message_v6,
        _ => return None,
    }
    .as_option()
}

fn content(poll: &PollCreationMessage) -> Poll {
    let options = poll.options.iter();
    let answer = poll.correct_answer.as_option();
    Poll {
        name: poll.name.clone().unwrap_or_default(),
        options: options
            .filter_map(|option| option.option_name.clone())
            .collect(),
        selectable_count: poll.selectable_options_count.unwrap_or(0),
        quiz: poll.poll_type == Some(PollType::QUIZ),
        correct_answer: answer.and_then(|answer| answer.option_name.clone()),
        ends_at: poll.end_time.filter(|time| *time > 0).map(in_millis),
        anonymous: poll.hide_participant_name.unwrap_or_default(),
        open: poll.allow_add_option.unwrap_or_default(),
    }
}

/// WhatsApp tells some times in seconds and some in milliseconds; the latter since 1970 are 13
/// digits.
pub(super) fn in_millis(time: i64) -> i64 {
    if time < 100_000_000_000 {
        time.saturating_mul(1_000)
    } else {
        time
    }
}

fn snapshot(poll: &PollResultSnapshotMessage) -> Reading {
    let options: Vec<OptionResult> = poll
        .poll_votes
        .iter()
        .map(|option| OptionResult {
            name: option.option_name.clone().unwrap_or_default(),
            count: u64::try_from(option.option_vote_count.unwrap_or(0)).unwrap_or(0),
            voters: Vec::new(),
        })
        .collect();
    let total = options.iter().map(|option| option.count).sum();
    let content = Content::PollResult(PollResults { total, options });
    Reading::of(content, poll.name.clone())
}
