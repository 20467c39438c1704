"""Holds what egret wrote against what others publish.

Reads one JSON array [kind, argument, document] per line and prints a line for each that is not as it should
be. Kinds: ocsf and ocsf_base (argument: the version), cef (the document is its text; argument: some of what it should
hold), slack (the message), mail (the document is its text; argument: headers that it should have, and "body",
a part of its text).
"""

import email
import email.policy
import json
import sys

import cefp
from cefevent.event import CEFEvent
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from slack_sdk.models.blocks import Block

SCHEMAS = {}


def ocsf(version, document, name="detection_finding"):
    if (version, name) not in SCHEMAS:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema(name)
        SCHEMAS[version, name] = Draft202012Validator(schema)
    for error in SCHEMAS[version, name].iter_errors(document):
        yield f"{error.json_path}: {error.message}"
    if document["type_uid"] != document["class_uid"] * 100 + document["activity_id"]:
        yield "type_uid is not class_uid * 100 + activity_id"


def ocsf_base(version, document):
    return ocsf(version, document, "base_event")


def cef(expected, text):
    fields = cefp.CEFParser.parse(text)
    extension = fields["extension"]
    for name, value in expected.items():
        if extension.get(name) != value:
            yield f"{name} is {extension.get(name)!r} and not {value!r}"
    event = CEFEvent(strict=True)
    event.set_prefix("severity", fields["severity"])
    for name, value in extension.items():
        # The library wants numbers where the dictionary has them.
        event.set_field(name, int(value) if value.isdigit() else value)


def slack(_, message):
    if not message["text"]:
        yield "no text for notifications"
    if len(message["blocks"]) > 50:
        yield "more than 50 blocks"
    for given in message["blocks"]:
        block = Block.parse(given)
        block.validate_json()
        if block.to_dict() != given:
            yield f"the SDK understands {block.to_dict()} for {given}"


def mail(expected, text):
    message = email.message_from_string(text, policy=email.policy.default)
    for defect in message.defects:
        yield f"defect: {defect}"
    for name, value in expected.items():
        if name == "body":
            if value not in message.get_content():
                yield f"{value!r} is not in {message.get_content()!r}"
        elif message[name] != value:
            yield f"{name} is {message[name]!r} and not {value!r}"


def main():
    checks = {"ocsf": ocsf, "ocsf_base": ocsf_base, "cef": cef, "slack": slack, "mail": mail}
    wrong = 0
    for line in sys.stdin:
        kind, argument, document = json.loads(line)
        try:
            problems = list(checks[kind](argument, document))
        except Exception as error:  # a validator that raises has found something
            problems = [repr(error)]
        for problem in problems:
            print(f"{kind} {argument}: {problem}"[:2000])
            wrong += 1
    sys.exit(1 if wrong else 0)


main()
