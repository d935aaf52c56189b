"""What a user of the generated client writes."""

from whatsapp_gateway import AuthenticatedClient
from whatsapp_gateway.api.messages import send_message
from whatsapp_gateway.models import SendPoll, SendResult, SendText


def send(session: str) -> None:
    client = AuthenticatedClient(base_url="http://127.0.0.1:8080", token="wa_")
    text = SendText(type_="text", to="6281234567890", text="hello")
    poll = SendPoll(type_="poll", to="6281234567890", name="Lunch?", options=["Noodles", "Rice"])
    for body in (text, poll):
        answer = send_message.sync(session, client=client, body=body, async_=True)
        if isinstance(answer, SendResult):
            print(answer.wa_message_id)
