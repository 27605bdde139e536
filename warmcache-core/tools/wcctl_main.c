// SPDX-License-Identifier: GPL-2.0-or-later
#include "warmcache-core/tools/wcctl.h"

int main(int argc, char **argv)
{
    return wcctl_run(argc, argv, wcr_call_open, stdout, stderr);
}
