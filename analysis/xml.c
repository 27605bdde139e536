// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/xml.h"

#include "analysis/utf8.h"

/* XML 1.0 has no way at all to say most control characters. */
void xml_text(FILE *out, const char *s)
{
    while (*s) {
        size_t len = utf8_length(s);

        switch (*s) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\r':
            break;
        case '\n':
        case '\t':
            fputc(*s, out);
            break;
        default:
            if (!len || (unsigned char)*s < ' ' || *s == 0x7f)
                fputc('?', out);
            else
                fwrite(s, 1, len, out);
        }
        s += len ? len : 1;
    }
}

void xml_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    xml_text(out, value);
    fputc('"', out);
}
