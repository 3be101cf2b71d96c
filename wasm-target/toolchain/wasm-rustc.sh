#!/usr/bin/env bash
# Prints the path of a rustc that can compile the filter modules, making one first where there is none.
#
#   RUSTC=$(wasm-target/toolchain/wasm-rustc.sh [DIR]) cargo build --target wasm32-wasip1 ...
#
# `cargo xtask wasm` calls it; it can also be called by hand. Progress goes to stderr, the path alone to stdout.
# Where the compiler comes from, in this order:
#
#  1. The rustc on PATH, if wasm32-wasip1 was added to it (`rustup target add wasm32-wasip1`). Nothing is fetched.
#  2. One that an earlier run left in DIR. Nothing is fetched.
#  3. `rustup target add`, but only with TRY_RUSTUP=1: it changes the user's own toolchain, and it talks to a server
#     that build machines which reach only package registries cannot talk to.
#  4. Debian's packages of rustc, of its wasm32 standard library and of lld. An apt with a state of its own reads the
#     suite (so signatures are checked as always), the packages are unpacked below DIR and never installed, and small
#     wrappers start them through the suite's own dynamic loader, so the machine's libc need not fit. No root needed;
#     neither the system's packages nor rustup's toolchains are touched.
#
# Settings, all optional:
#  DIR       first argument; default ${FERROMESH_CACHE:-${XDG_CACHE_HOME:-~/.cache}/ferromesh}/wasm-rust
#  TARGETS   the targets that must work; default wasm32-wasip1 (the compiler from Debian brings
#            wasm32-unknown-unknown along)
#  SUITES    Debian suites to try in order; default "trixie forky sid" (trixie has rustc 1.85.1 as long as it lives)
#  MIRROR    Debian mirror; default the one in this machine's apt sources
#  KEYRING   Debian's keyring; default the one of the package debian-archive-keyring
#  KEEP_DEBS set to 1 to keep the fetched packages in DIR/SUITE/debs
#
# Exit status: 0 done; 2 a tool is missing; 3 the archive cannot be reached, or a signature or checksum does not hold;
# 4 a suite could be read but gave no rustc that works.
set -euo pipefail
export LC_ALL=C
DIR=${1:-${FERROMESH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ferromesh}/wasm-rust}
case $DIR in /*) ;; *) DIR=$PWD/$DIR ;; esac
TARGETS=${TARGETS:-wasm32-wasip1}
SUITES=${SUITES:-trixie forky sid}

say() { echo "wasm-rustc: $*" >&2; }
die() { local status=$1; shift; say "failed: $*"; exit "$status"; }

# has_targets RUSTC: whether it brings a standard library for each of TARGETS.
has_targets() {
    local target libs
    for target in $TARGETS; do
        libs=$("$1" --print target-libdir --target "$target" 2>/dev/null) || return 1
        compgen -G "$libs/libstd-*.rlib" >/dev/null || return 1
    done
}

finish() { say "using $1 ($("$1" -V))"; echo "$1"; exit 0; }

# finish_with_made: ends the script with what an earlier run left in DIR, if that fits.
# packages.sha256 is written before the folder gets its final name, so a folder that has it is whole.
finish_with_made() {
    local suite
    for suite in $SUITES; do
        if [ -f "$DIR/$suite/packages.sha256" ] && has_targets "$DIR/$suite/bin/rustc"; then
            finish "$DIR/$suite/bin/rustc"
        fi
    done
}

if command -v rustc >/dev/null && has_targets rustc; then finish "$(command -v rustc)"; fi
finish_with_made
if [ "${TRY_RUSTUP:-0}" = 1 ] && command -v rustup >/dev/null; then
    say "rustup target add $TARGETS"
    # shellcheck disable=SC2086 # a list of words
    if timeout 120 rustup target add $TARGETS >&2 && has_targets rustc; then finish "$(command -v rustc)"; fi
    say "rustup could not add them; taking Debian's"
fi

for tool in apt-get apt-cache apt-config dpkg dpkg-deb tar cc flock sha256sum; do
    command -v "$tool" >/dev/null ||
        die 2 "no '$tool' here; either make 'rustup target add $TARGETS' work, or run on a Debian or Ubuntu with gcc"
done
MIRROR=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 2>/dev/null | sed 's,/*$,,' | grep -m 1 '/debian$' || true)}
for key in ${KEYRING:-} /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [ -f "$key" ]; then KEYRING=$key; break; fi
done
[ -n "$MIRROR" ] || die 2 "no Debian mirror in this machine's apt sources; set MIRROR"
[ -f "${KEYRING:-}" ] || die 2 "no keyring of Debian's; apt-get install debian-archive-keyring, or set KEYRING"
mkdir -p "$DIR" || die 2 "cannot write $DIR"
exec 9>"$DIR/lock"
flock -n 9 || { say "another run is making it; waiting"; flock 9; }
finish_with_made # a run that waited finds what the other one made

# compiles PREFIX: whether the unpacked compiler makes a module that uses std, for each target.
compiles() {
    local target dir
    dir=$(mktemp -d "$DIR/probe.XXXXXX")
    cat >"$dir/probe.rs" <<'RS'
use std::collections::BTreeMap;
#[no_mangle]
pub extern "C" fn probe(n: u32) -> u32 {
    let words: BTreeMap<u32, String> = (0..n).map(|i| (i, i.to_string())).collect();
    words.values().map(|word| word.len() as u32).sum()
}
RS
    for target in $TARGETS; do
        "$1/bin/rustc" --edition 2021 --crate-type cdylib -O --target "$target" -o "$dir/probe.wasm" "$dir/probe.rs" >&2 &&
            [ "$(od -An -tx1 -N4 "$dir/probe.wasm")" = " 00 61 73 6d" ] || { rm -rf "$dir"; return 1; }
    done
    rm -rf "$dir"
}

# write_private_apt SUITE WORK: an apt that knows only this suite. Its list of installed packages is empty, so that
# the whole closure of libraries is fetched; of /etc/apt it sees nothing but the machine's proxy settings.
write_private_apt() {
    local suite=$1 work=$2 arch
    arch=$(dpkg --print-architecture)
    mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial}
    : >"$work/apt/status"
    echo "deb [arch=$arch signed-by=$KEYRING] $MIRROR $suite main" >"$work/apt/sources.list"
    {
        apt-config dump | grep -E '^Acquire::(https?|ftp|Retries|ForceIPv|Check-)' || true
        cat <<CONF
Dir::Etc::parts "/dev/null"; Dir::Etc::main "/dev/null";
Dir::Etc::sourcelist "$work/apt/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::State "$work/apt/state"; Dir::State::status "$work/apt/status"; Dir::Cache "$work/apt/cache";
APT::Architecture "$arch"; APT::Architectures { "$arch"; };
APT::Install-Recommends "false"; APT::Sandbox::User "root"; APT::Update::Error-Mode "any";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"; Acquire::Retries "3";
CONF
    } >"$work/apt/apt.conf"
}

# wrap FILE UP NAME PROGRAM: FILE starts PROGRAM (argv[0] = NAME) through the suite's loader, with the suite's
# libraries and no others. UP leads from FILE's folder to the prefix, so that the prefix may be moved.
wrap() {
    cat >"$1" <<SH
#!/bin/sh
case \$0 in */*) here=\${0%/*} ;; *) here=. ;; esac
prefix=\$(cd "\$here/$2" && pwd) || exit 1
exec "\$prefix/$loader" --library-path "\$prefix/$libraries" --argv0 $3 "\$prefix/$4" "\$@"
SH
    chmod +x "$1"
}

# make_from SUITE: makes DIR/SUITE. Runs in a subshell; its status is one of the script's.
make_from() {
    local suite=$1 work=$DIR/$1.new began=$SECONDS llvm compiler std packages deb host target
    local loader libraries # read by wrap
    rm -rf "$work"
    mkdir -p "$work/debs" "$work/bin"
    write_private_apt "$suite" "$work"
    local -x APT_CONFIG=$work/apt/apt.conf

    say "reading the package lists of $MIRROR $suite"
    apt-get -q update >"$work/apt/log" 2>&1 || {
        grep -E '^[EW]:' "$work/apt/log" >&2
        say "$MIRROR $suite cannot be read: offline, no such suite, or a signature or checksum does not hold"
        return 3
    }
    field() { apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n "s/^$2: //p" || true; }
    compiler=$(field rustc Version) std=$(field libstd-rust-dev-wasm32 Version)
    [ -n "$std" ] && [ "${std%%+*}" = "${compiler%%+*}" ] ||
        { say "$suite has rustc '$compiler' but its wasm32 std is '$std'"; return 4; }
    llvm=$(field libstd-rust-dev-wasm32 Recommends | grep -oE '\blld-[0-9]+') && llvm=${llvm#lld-}
    packages=$(apt-get -s install libstd-rust-dev libstd-rust-dev-wasm32 "lld-$llvm" 2>"$work/apt/log" |
        awk '/^Inst /{print $2 "=" substr($3, 2)}') || { cat "$work/apt/log" >&2; return 4; }

    say "fetching rustc $compiler, its wasm32 std and $(wc -w <<<"$packages") packages of libraries (about 200 MB)"
    # shellcheck disable=SC2086 # a list of words
    (cd "$work/debs" && apt-get -q download "rustc=$compiler" $packages >"$work/apt/log" 2>&1) ||
        { grep -E '^[EW]:' "$work/apt/log" >&2; return 3; }
    say "unpacking $(du -sm "$work/debs" | cut -f1) MB"
    local skip=(--exclude=./etc --exclude=./usr/share)
    for target in wasm32-wasip2; do # big, and nobody asks for it
        [[ " $TARGETS " == *" $target "* ]] || skip+=(--exclude="./usr/lib/rustlib/$target")
    done
    for deb in "$work"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" "${skip[@]}"; done

    loader=$(cd "$work" && ls usr/lib*/ld-linux*.so.* | head -n 1)
    libraries=$(cd "$work" && ls -d usr/lib/*/librustc_driver-*.so) && libraries=${libraries%/*}
    host=$(cd "$work/usr/lib/rustlib" && ls -d -- *-linux-gnu* | head -n 1)
    mkdir -p "$work/usr/lib/rustlib/$host/bin" # where rustc looks for rust-lld, the wasm32 targets' linker
    wrap "$work/bin/rustc" .. rustc usr/bin/rustc
    wrap "$work/usr/lib/rustlib/$host/bin/rust-lld" ../../../../.. lld "usr/lib/llvm-$llvm/bin/lld"
    (cd "$work/debs" && sha256sum -- *.deb) >"$work/packages.sha256"
    compiles "$work" || { say "the rustc of $suite does not compile for $TARGETS"; return 4; }

    [ "${KEEP_DEBS:-0}" = 1 ] || rm -rf "$work/debs"
    rm -rf "$work/apt" "${DIR:?}/$suite"
    mv "$work" "$DIR/$suite"
    say "made $DIR/$suite, $(du -sm "$DIR/$suite" | cut -f1) MB, in $((SECONDS - began)) s"
}

worst=3
for suite in $SUITES; do
    # Not `|| status=$?`: that would switch errexit off inside make_from.
    set +e; (set -e; make_from "$suite"); status=$?; set -e
    if [ $status = 0 ]; then finish "$DIR/$suite/bin/rustc"; fi
    rm -rf "$DIR/$suite.new"
    if [ $status = 4 ]; then worst=4; fi
    say "$suite gave none"
done
die $worst "no wasm32 standard library from Debian ($SUITES at $MIRROR) and none in the rustc on PATH. With a network" \
    "that reaches rustup's server: rustup target add $TARGETS"
