#!/bin/sh
# Takes a complete dump of App Mesh meshes with the AWS CLI: every resource as `describe-…` prints it, and its tags
# behind it in the same file. `ferromesh import FOLDER` and `ferromesh apply -f FOLDER` read the folder.
#
#   dump.sh FOLDER [MESH [OWNER]]
#
# Without MESH all meshes of the account are taken. OWNER is the account of a mesh that is shared with yours. The CLI
# finds region, credentials and endpoint as always: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and so on; AWS names
# another program than `aws`.
set -eu

folder=${1:?usage: dump.sh FOLDER [MESH [OWNER]]}
only=${2:-}
owner=${3:-}
aws=${AWS:-aws}
count=0

mkdir -p "$folder"
if [ -n "$(ls -A "$folder")" ]; then
    echo "dump.sh: $folder is not empty: two dumps in one folder are none" >&2
    exit 1
fi
lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

appmesh() {
    command=$1
    shift
    if [ -n "$owner" ] && [ "$command" != list-meshes ] && [ "$command" != list-tags-for-resource ]; then
        set -- "$@" --mesh-owner "$owner"
    fi
    "$aws" appmesh "$command" "$@" </dev/null
}

# names FILE LIST NAME COMMAND…: the names in a list, one a line. The CLI follows the pages.
names() {
    file=$1 list=$2 name=$3
    shift 3
    appmesh "$@" --query "$list[].[$name]" --output text >"$file.all"
    grep -v '^None$' "$file.all" >"$file" || true
}

# take KIND COMMAND…: one resource and its tags. A shared mesh shows its tags to its owner alone.
take() {
    kind=$1
    shift
    count=$((count + 1))
    file=$(printf '%s/%05d-%s.json' "$folder" "$count" "$kind")
    appmesh "$@" --output json >"$file"
    arn=$(sed -n 's/^ *"arn": "\(.*\)",*$/\1/p' "$file" | head -n 1)
    case $arn in
    # A name that JSON writes with escapes.
    *\\* | "") arn=$(appmesh "$@" --query '*.metadata.arn | [0]' --output text) ;;
    esac
    if ! appmesh list-tags-for-resource --resource-arn "$arn" --output json >"$lists/tags"; then
        echo "dump.sh: the tags of $arn cannot be read: they are not in the dump" >&2
        return 0
    fi
    cat "$lists/tags" >>"$file"
}

mesh() {
    m=$1
    take mesh describe-mesh --mesh-name "$m"
    names "$lists/nodes" virtualNodes virtualNodeName list-virtual-nodes --mesh-name "$m"
    while IFS= read -r n; do
        take virtual-node describe-virtual-node --mesh-name "$m" --virtual-node-name "$n"
    done <"$lists/nodes"
    names "$lists/routers" virtualRouters virtualRouterName list-virtual-routers --mesh-name "$m"
    while IFS= read -r r; do
        take virtual-router describe-virtual-router --mesh-name "$m" --virtual-router-name "$r"
        names "$lists/routes" routes routeName list-routes --mesh-name "$m" --virtual-router-name "$r"
        while IFS= read -r t; do
            take route describe-route --mesh-name "$m" --virtual-router-name "$r" --route-name "$t"
        done <"$lists/routes"
    done <"$lists/routers"
    names "$lists/services" virtualServices virtualServiceName list-virtual-services --mesh-name "$m"
    while IFS= read -r s; do
        take virtual-service describe-virtual-service --mesh-name "$m" --virtual-service-name "$s"
    done <"$lists/services"
    names "$lists/gateways" virtualGateways virtualGatewayName list-virtual-gateways --mesh-name "$m"
    while IFS= read -r g; do
        take virtual-gateway describe-virtual-gateway --mesh-name "$m" --virtual-gateway-name "$g"
        names "$lists/routes" gatewayRoutes gatewayRouteName list-gateway-routes --mesh-name "$m" --virtual-gateway-name "$g"
        while IFS= read -r t; do
            take gateway-route describe-gateway-route --mesh-name "$m" --virtual-gateway-name "$g" --gateway-route-name "$t"
        done <"$lists/routes"
    done <"$lists/gateways"
}

if [ -n "$only" ]; then
    printf '%s\n' "$only" >"$lists/meshes"
else
    names "$lists/meshes" meshes meshName list-meshes
fi
while IFS= read -r name; do
    mesh "$name"
done <"$lists/meshes"
echo "dump.sh: $count resources in $folder" >&2
