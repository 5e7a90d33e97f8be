#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A minute of each kind of soak.
exec "${BASH_SOURCE[0]%/*}/soak.sh" --minutes "${SOAK_MINUTES:-1}" --plain --asan --valgrind --tsan
