#!/bin/sh
# build.sh SDIST OUTDIR EL [PYTHON_VERSION [BUILD_NUMBER]]: the .rpm for CentOS Stream or RHEL EL (9, 10), and its .src.rpm.
#
# Runs on Debian with its package `rpm`, or on the target with rpm-build. On Debian, BuildRequires cannot be checked; it only
# needs unzip and .venv. The wheels come from the package index, by the hashes in packaging/locks/runtime.txt.
set -eu
umask 022 # the .src.rpm keeps the modes of its files
sdist=$1 out=$2 el=$3 python_version=${4:-3.12} build_number=${5:-1}
here=$(cd "$(dirname "$0")" && pwd)
spec=$here/sriov-bootstrap.spec
pip="$here/../../.venv/bin/python -m pip --quiet --disable-pip-version-check"
arch=$(uname -m)
version=$(sed -n 's/^Version: *//p' "$spec")

lock=$here/../locks/runtime.txt
wheels=$here/../../build/rpm/wheels-py$python_version-$arch

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/sources" "$out"
out=$(cd "$out" && pwd)

# EL 9 has glibc 2.34, EL 10 has 2.39: wheels for 2.34 and older run on both.
# Several builds may run at once, and share the wheels.
mkdir -p "${wheels%/*}"
(
    flock 9
    if ! cmp -s "$lock" "$wheels/lock"; then
        rm -rf "$wheels" "$wheels.new"
        platforms=$(for glibc in 34 28 17 12 5; do echo "--platform manylinux_2_${glibc}_$arch"; done)
        # shellcheck disable=SC2086
        $pip download --require-hashes --no-deps --only-binary=:all: --implementation cp --python-version "$python_version" $platforms \
            --platform "manylinux2014_$arch" --dest "$wheels.new/wheels" -r "$lock"
        cp "$lock" "$wheels.new/lock"
        mv "$wheels.new" "$wheels"
    fi
) 9>"$wheels.flock"
# Wheels left from an earlier build are checked as well.
for wheel in "$wheels"/wheels/*; do
    grep -q "sha256:$(sha256sum "$wheel" | cut -d ' ' -f 1)" "$lock" || { echo "rpm: $wheel does not match $lock" >&2; exit 1; }
done

cp --no-preserve=mode "$sdist" "$spec" "$work/sources/"
tar -c --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner --mode=u=rw,go=r,a+X -C "$wheels" \
    -f "$work/sources/sriov-bootstrap-wheels-$version-py$python_version-$arch.tar" wheels
touch -d "@${SOURCE_DATE_EPOCH:-0}" "$work"/sources/*

# A version manager's shim for a missing Python does not run.
python=$(command -v "python$python_version" || true)
"${python:-false}" -c '' 2>/dev/null || python=/usr/bin/python$python_version

debian=
if [ -e /etc/debian_version ]; then debian="--nodeps --load $here/macros.debian"; fi
# A .src.rpm contains the spec with its macros expanded, so no path may be mentioned while it is built.
cd "$work/sources"
build() {
    # shellcheck disable=SC2086
    rpmbuild $debian "$@" --quiet --define "_specdir ." \
        --define "_rpmdir $out" --define "_srcrpmdir $out" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
        --define "rhel $el" --define "dist .el$el" --define "build_number $build_number" \
        --define "pyversion $python_version" --define "python $python" \
        --define '_buildhost localhost' --define 'use_source_date_epoch_as_buildtime 1' \
        --define 'clamp_mtime_to_source_date_epoch 1' \
        "${spec##*/}" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
build -bs --define "_topdir ." --define "_sourcedir ."
build -bb --define "_topdir $work/top" --define "_sourcedir $work/sources"
