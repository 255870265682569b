"""No request waits for a mail provider: delivery alone talks to it, and tasks alone ask for delivery."""

from tests.architecture.test_rules import APPS, lines_with


def test_the_mail_transport_is_used_by_delivery_alone() -> None:
    talk = r"import.*(transports\.email|anymail|smtplib)|from (alerts\.transports\.email|anymail)"
    users = {line.split(":")[0] for line in lines_with(talk, *APPS)}
    assert users - {"alerts/transports/email.py"} == {
        "alerts/services/delivery.py",
        "alerts/mail_pages.py",  # reads the calendar files of a message that was sent
    }


def test_delivery_is_asked_for_by_its_task_alone() -> None:
    callers = {line.split(":")[0] for line in lines_with(r"deliver_due\(|deliver_messages\.(delay|apply)", *APPS)}
    assert callers == {"alerts/services/delivery.py", "alerts/tasks.py"}
