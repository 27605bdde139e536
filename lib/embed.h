/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of the source tree as a string. The compiler runs in the root of the tree. */
#ifndef WCR_LIB_EMBED_H
#define WCR_LIB_EMBED_H

#define EMBED(symbol, file)                             \
    __asm__(".pushsection .rodata\n"                    \
            ".hidden " #symbol "\n"                     \
            ".globl " #symbol "\n"                      \
            ".type " #symbol ", @object\n"              \
            #symbol ":\n"                               \
            ".incbin \"" file "\"\n"                    \
            ".byte 0\n"                                 \
            ".size " #symbol ", . - " #symbol "\n"      \
            ".popsection\n");                           \
    extern const char symbol[]

#endif
