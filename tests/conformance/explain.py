"""Why egret and a reference differ, where the difference is known and right."""


def explain(reference, quantity, capture, item, own, said):
    """The reason in a line; None where there is none known."""
    if own.refused:
        return "the capture is of a link type without IP, or damaged: egret refuses it with a message"
    return None
