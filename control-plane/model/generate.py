#!/usr/bin/env python3
"""Makes src/generated/{shapes,operations}.rs from App Mesh's service model.

    pip download --no-deps botocore==1.44.5
    python3 generate.py botocore-1.44.5-py3-none-any.whl

The model is botocore/data/appmesh/2019-01-25/service-2.json.gz inside the wheel. Only the constraints are kept; the
documentation stays behind. The tables are committed, so a build needs neither Python nor the wheel.
"""

import gzip
import json
import pathlib
import re
import subprocess
import sys
import zipfile

MODEL = "botocore/data/appmesh/2019-01-25/service-2.json.gz"
HEADER = """\
// Made by generate.py from botocore {version}; not edited by hand.
// Derived from botocore's appmesh/2019-01-25 service model, Copyright Amazon.com, Inc. or its affiliates,
// Apache License 2.0 (see NOTICE).
"""
I32 = (-(2**31), 2**31 - 1)


def constant(name):
    """RouteSpec -> ROUTE_SPEC"""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).upper()


def quoted(text):
    return json.dumps(text, ensure_ascii=True)


def option(value):
    return "None" if value is None else f"Some({value})"


def rust_type(shape, patterns):
    kind = shape["type"]
    if kind == "structure":
        required = shape.get("required", [])
        members = []
        for name, member in shape["members"].items():
            location = {"uri": "Uri", "querystring": "Query"}.get(member.get("location"), "Body")
            members.append(
                f"m({quoted(member.get('locationName', name))}, &{constant(member['shape'])}, "
                f"{str(name in required).lower()}, Location::{location})"
            )
        variant = "Union" if shape.get("union") else "Structure"
        return f"Type::{variant}(&[{', '.join(members)}])"
    if kind == "list":
        return (
            f"Type::List {{ member: &{constant(shape['member']['shape'])}, "
            f"min: {shape.get('min', 0)}, max: {option(shape.get('max'))} }}"
        )
    if kind == "string":
        if "enum" in shape:
            return f"Type::Enum(&[{', '.join(map(quoted, shape['enum']))}])"
        pattern = "None"
        if "pattern" in shape:
            patterns.append(shape["pattern"])
            pattern = f"Some(&PATTERN_{len(patterns)})"
        return (
            f"Type::String {{ min: {shape.get('min', 0)}, max: {option(shape.get('max'))}, pattern: {pattern} }}"
        )
    if kind in ("integer", "long"):
        low, high = I32 if kind == "integer" else (None, None)
        low, high = shape.get("min", low), shape.get("max", high)
        low = "i64::MIN" if low is None else low
        high = "i64::MAX" if high is None else high
        return f"Type::Integer {{ min: {low}, max: {high} }}"
    if kind == "boolean":
        return "Type::Boolean"
    if kind == "timestamp":
        return "Type::Timestamp"
    raise SystemExit(f"no rule for type {kind}")


def reachable(model):
    """Shapes that inputs and outputs use, so that the tables hold nothing else."""
    shapes, found, todo = model["shapes"], set(), []
    for operation in model["operations"].values():
        todo += [operation["input"]["shape"], operation["output"]["shape"]]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        shape = shapes[name]
        todo += [member["shape"] for member in shape.get("members", {}).values()]
        if "member" in shape:
            todo.append(shape["member"]["shape"])
    return sorted(found)


def shapes_rs(model):
    names, patterns, lines = reachable(model), [], []
    for name in names:
        body = rust_type(model["shapes"][name], patterns)
        lines.append(f"pub(super) static {constant(name)}: Shape = Shape {{ name: {quoted(name)}, ty: {body} }};\n")
    for number, pattern in enumerate(patterns, 1):
        lines.append(f"static PATTERN_{number}: Pattern = Pattern::new({quoted(pattern)});\n")
    table = ", ".join(f"&{constant(name)}" for name in names)
    return (
        "use super::{Location, Member, Pattern, Shape, Type};\n\n"
        "const fn m(name: &'static str, shape: &'static Shape, required: bool, location: Location) -> Member {\n"
        "    Member { name, shape, required, location }\n}\n\n"
        f"/// All shapes, sorted by name.\npub(super) static ALL: &[&Shape] = &[{table}];\n\n" + "".join(lines)
    )


def operations_rs(model):
    lines = []
    for name in sorted(model["operations"]):
        operation = model["operations"][name]
        http = operation["http"]
        if http["responseCode"] != 200:
            raise SystemExit(f"{name} answers {http['responseCode']}, which the table cannot say")
        output = model["shapes"][operation["output"]["shape"]]
        answer = output["members"][output["payload"]]["shape"] if "payload" in output else operation["output"]["shape"]
        errors = ", ".join(quoted(error["shape"]) for error in operation["errors"])
        lines.append(
            f"    Operation {{ name: {quoted(name)}, method: {quoted(http['method'])}, uri: {quoted(http['requestUri'])}, "
            f"input: &shapes::{constant(operation['input']['shape'])}, output: &shapes::{constant(answer)}, "
            f"errors: &[{errors}] }},\n"
        )
    return (
        "use super::{shapes, Operation};\n\n"
        "/// All operations, sorted by name.\npub(super) static ALL: &[Operation] = &[\n" + "".join(lines) + "];\n"
    )


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    wheel = zipfile.ZipFile(sys.argv[1])
    version = re.search(r"botocore-([\d.]+)-", pathlib.Path(sys.argv[1]).name).group(1)
    model = json.loads(gzip.decompress(wheel.read(MODEL)))
    folder = pathlib.Path(__file__).parent / "src" / "generated"
    for name, text in (("shapes", shapes_rs(model)), ("operations", operations_rs(model))):
        path = folder / f"{name}.rs"
        path.write_text(HEADER.format(version=version) + "\n" + text)
        subprocess.run(["rustfmt", "--edition", "2021", str(path)], check=True)
        print(f"{path}: {len(path.read_text().splitlines())} lines")


if __name__ == "__main__":
    main()
