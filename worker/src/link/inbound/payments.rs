//! Payments.

use gateway_shared::events::inbound::{Content, Payment};
use waproto::whatsapp as wa;

use super::reading::{Reading, read_whole};

/// Reads a field that has to do with money.
pub(super) fn read(base: &wa::Message, field: &str) -> Option<Reading> {
    let reading = match field {
        "sendPaymentMessage" => {
            let payment = base.send_payment_message.as_option()?;
            let note = payment.note_message.as_option();
            paid("sent", note, None).about(payment.request_message_key.as_option())
        }
        "requestPaymentMessage" => {
            let request = base.request_payment_message.as_option()?;
            let note = request.note_message.as_option();
            let amount = request.amount.as_option();
            let mut reading = paid("requested", note, amount);
            if let Some(Content::Payment(payment)) = &mut reading.content {
                let plain = request
                    .amount1000
                    .and_then(|amount| i64::try_from(amount).ok());
                payment.amount_1000 = payment.amount_1000.or(plain);
                let currency = request.currency_code_iso4217.clone();
                payment.currency = payment.currency.take().or(currency);
            }
            reading
        }
        "declinePaymentRequestMessage" => {
            let declined = base.decline_payment_request_message.as_option()?;
            paid("declined", None, None).about(declined.key.as_option())
        }
        "cancelPaymentRequestMessage" => {
            let cancelled = base.cancel_payment_request_message.as_option()?;
            paid("cancelled", None, None).about(cancelled.key.as_option())
        }
        "paymentInviteMessage" => paid("invited", None, None),
        "invoiceMessage" => {
            let invoice = base.invoice_message.as_option()?;
            Reading {
                text: invoice.note.clone(),
                ..paid("invoice", None, None)
            }
        }
        "paymentReminderMessage" => {
            let reminder = base.payment_reminder_message.as_option()?;
            Reading {
                text: reminder.description.clone(),
                ..paid("reminder", None, reminder.amount.as_option())
            }
        }
        "splitPaymentMessage" => {
            let split = base.split_payment_message.as_option()?;
            Reading {
                text: split.description.clone(),
                ..paid("split", None, split.total_amount.as_option())
            }
        }
        _ => return None,
    };
    Some(reading)
}

fn paid(action: &str, note: Option<&wa::Message>, amount: Option<&wa::Money>) -> Reading {
    let content = Content::Payment(Payment {
        action: action.to_owned(),
        currency: amount.and_then(|money| money.currency_code.clone()),
        amount_1000: amount.and_then(thousandths),
    });
    let text = note.and_then(read_whole).and_then(|note| note.text);
    Reading::of(content, text)
}

/// WhatsApp tells money as a whole number and what to divide it by.
fn thousandths(money: &wa::Money) -> Option<i64> {
    let (value, offset) = (money.value?, i64::from(money.offset?));
    value.checked_mul(1_000)?.checked_div(offset)
}
