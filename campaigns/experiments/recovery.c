// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/experiments/recovery.h"

double recovery_mean(const struct sample *s, size_t len)
{
    if (len < 2 || s[len - 1].at <= s[0].at)
        return 0;
    return (s[len - 1].bytes - s[0].bytes) / (s[len - 1].at - s[0].at);
}

double recovery_at(const struct sample *s, size_t len, double wanted, double window_s)
{
    for (size_t from = 0, to = 0; from < len; from++) {
        while (to < len && s[to].at < s[from].at + window_s - 1e-9)
            to++;
        if (to == len)
            break;
        if (recovery_mean(s + from, to - from + 1) >= wanted)
            return s[from].at;
    }
    return -1;
}
