from tests.sending import secret, send

__all__ = ["secret", "send"]
