"""The aws command line's part: takes the steps of a JSON file, one after the other, and prints a line of JSON about each.

Each step is one command with a flag for each member of its input, as a person types it. Nearly all the time of a command
is Python's start, so that they run in this process, by the function that `aws` itself is; with FERROMESH_AWS_COMMAND
each is a process of its own. With FERROMESH_SKELETONS the inputs are what `--generate-cli-skeleton` printed, filled in.
"""

import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys

from awscli.clidriver import create_clidriver
from botocore import xform_name

ERROR = r"An error occurred \((\w+)\) when calling the (\w+) operation(?: \(reached max retries: \d+\))?: (.*)"
driver = create_clidriver()


def aws(arguments, driver=driver):
    """Exit status, stdout and stderr of one command."""
    if command := os.environ.get("FERROMESH_AWS_COMMAND"):
        done = subprocess.run([command, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main(arguments)
    return status, out.getvalue(), err.getvalue()


@functools.cache
def skeleton(operation):
    """What the command prints for its input to be made of."""
    # A driver keeps asking for what it was once asked for: a new one.
    status, out, err = aws(["appmesh", operation, "--generate-cli-skeleton"], create_clidriver())
    assert status == 0, err
    return json.loads(out)


def flags(members):
    for member, value in members.items():
        yield "--" + xform_name(member, "-")
        # The command line reads what begins with { or [ as JSON, and a name as it is.
        yield value if isinstance(value, str) else json.dumps(value)


def filled(skeleton, value):
    """The value, put together of the skeleton's members and no others."""
    if isinstance(value, dict):
        return {member: filled(skeleton[member], inner) for member, inner in value.items()}
    if isinstance(value, list):
        return [filled(skeleton[0], inner) for inner in value]
    return value


def command(step):
    arguments = ["appmesh", xform_name(step["call"], "-")]
    paging = ["--page-size", str(step["pages"])] if "pages" in step else []
    if "limit" in step["input"]:
        # Else it asks for page after page of that size.
        paging = ["--no-paginate"]
    if "FERROMESH_SKELETONS" in os.environ:
        members = ["--cli-input-json", json.dumps(filled(skeleton(arguments[1]), step["input"]))]
    else:
        members = flags(step["input"])
    return [*arguments, "--output", "json", *paging, *members]


def take(step):
    status, out, err = aws(command(step))
    if status == 0:
        output = json.loads(out) if out.strip() else {}
        # It puts the pages together before it prints them.
        return {"pages": [output]} if "pages" in step else {"output": output}
    refusal = re.search(ERROR, err, re.DOTALL)
    if refusal and refusal[2] == step["call"]:
        return {"refused": refusal[1], "message": refusal[3].strip(), "exit": status}
    return {"broken": err.strip() or f"exit status {status}"}


for step in json.load(open(sys.argv[1])):
    print(json.dumps(take(step)))
