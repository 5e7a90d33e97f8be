# SPDX-License-Identifier: MIT
# What deb/build.sh and rpm/build.sh share: they source it with their own arguments.
# tarball becomes the path of make dist's, directory the one in it, version its version.
# shellcheck shell=bash disable=SC2034 # variables that the scripts read
case ${1-} in
  --help | -h) usage && exit 0 ;;
  *.tar.*) ;;
  *) echo "build.sh: name the tarball of make dist; try --help" >&2 && exit 2 ;;
esac
tarball=$(readlink -e -- "$1") || { echo "build.sh: $1: no such file; make dist makes it" >&2 && exit 1; }
directory=$(basename -- "$tarball")
directory=${directory%.tar.*}
version=${directory##*-}

# need_programs PROGRAM...: ends the script if one is missing.
need_programs() {
  local name
  for name; do
    if ! type -P "$name" >/dev/null; then
      echo "build.sh: $name is missing; contrib/install-deps.sh package installs it" >&2
      exit 1
    fi
  done
}
