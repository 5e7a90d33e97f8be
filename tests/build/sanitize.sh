#!/usr/bin/env bash
# The modules' tests under AddressSanitizer and UndefinedBehaviorSanitizer.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
ok "configure" "$top/configure" CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
ok "no module does anything undefined, and none leaks" make -j2 check
done_testing
