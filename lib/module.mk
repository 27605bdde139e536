# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += lib/yaml_file.c
WCR_LIBS += yaml-0.1
