#!/bin/sh
# Makes ../files/shop-cdk.template.json with CDK, or with --check compares it. Needs node and npm; CDK is 190 MB and so
# no part of the usual tests.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp shop.js "$work"
(cd "$work" && npm install --no-save --no-package-lock --no-audit --no-fund --loglevel=error aws-cdk-lib@2.276.0 constructs@10.8.1 >&2)
(cd "$work" && CDK_OUTDIR="$work/out" node shop.js >&2)
if [ "${1:-}" = --check ]; then
    diff -u ../files/shop-cdk.template.json "$work/out/shop-cdk.template.json"
    echo "the template is what CDK makes"
else
    cp "$work/out/shop-cdk.template.json" ../files/shop-cdk.template.json
fi
