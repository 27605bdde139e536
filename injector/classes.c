// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of fault classes; docs/ and `wcr faults` say more about each. */
#include "injector/plan.h"

#include <stdio.h>
#include <string.h>

const struct fault_class fault_classes[] = {
    {"TEXT", FAULT_TEXT, false, "bit error in code", "flip one bit of an instruction"},
    {"NOP", FAULT_TEXT, false, "missing statement", "replace an instruction by NOPs"},
    {"INIT", FAULT_TEXT, false, "missing initialisation",
     "delete a store into a stack slot at a function's entry"},
    {"DST", FAULT_TEXT, false, "wrong assignment target",
     "change the register or address that an instruction writes"},
    {"SRC", FAULT_TEXT, false, "wrong source of an assignment",
     "change the register or address that an instruction reads"},
    {"PTR", FAULT_TEXT, false, "corrupted pointer",
     "change base register or displacement of a memory access"},
    {"BR", FAULT_TEXT, false, "missing check", "delete a conditional branch"},
    {"LOOP", FAULT_TEXT, false, "wrong loop condition",
     "invert the condition of a backward branch"},
    {"OBO", FAULT_TEXT, false, "off by one",
     "exchange < and <=, or > and >=, in a branch after a compare"},
    {"I/F", FAULT_TEXT, false, "wrong parameter",
     "delete the instruction that sets an argument of a call"},
    {"LOCK", FAULT_TEXT, false, "missing acquire or release",
     "delete a call that takes or releases a lock"},
    {"PANIC", FAULT_RUNTIME, false, "clean crash", "call panic()"},
    {"STACK", FAULT_RUNTIME, false, "stack corruption",
     "flip one bit of the kernel stack of a random task"},
    {"ALLOC", FAULT_RUNTIME, true, "out of memory not handled",
     "let kernel allocations return NULL"},
    {"FREE", FAULT_RUNTIME, true, "use after free",
     "free live allocations 0 to 256 ms after they were made"},
    {"LEAK", FAULT_RUNTIME, true, "missing free", "skip calls of kfree"},
    {"COPY", FAULT_RUNTIME, true, "overrun", "lengthen memory copies"},
    {"SIZE", FAULT_RUNTIME, true, "allocation too small", "give kmalloc half the size asked for"},
    {"IRQ", FAULT_RUNTIME, true, "missing interrupt restore",
     "leave interrupts off when a spinlock is released"},
};

const size_t fault_classes_len = sizeof(fault_classes) / sizeof(fault_classes[0]);

const struct fault_class *fault_class_find(const char *name)
{
    for (size_t i = 0; i < fault_classes_len; i++)
        if (!strcmp(fault_classes[i].name, name))
            return &fault_classes[i];
    return NULL;
}

void fault_class_names(char *ret, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < fault_classes_len && len < size; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? ", " : "",
                                fault_classes[i].name);
}
