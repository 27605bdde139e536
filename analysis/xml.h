/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of unknown origin inside of XML or HTML: nothing in it is markup. */
#ifndef WCR_ANALYSIS_XML_H
#define WCR_ANALYSIS_XML_H

#include <stdio.h>

/*
 * @s as the contents of an element or of an attribute in double quotes. What is not valid UTF-8,
 * and control characters but line feed and tab, become '?'; carriage returns go.
 */
void xml_text(FILE *out, const char *s);

/* A blank, then NAME="VALUE". */
void xml_attribute(FILE *out, const char *name, const char *value);

#endif
