// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a kernel's DWARF says of its modules, as before Linux 6.4 and since (MEM).
 */
struct list_head {
    struct list_head *next, *prev;
};

struct module_layout {
    unsigned size;
    void *base;
};

struct module_memory {
    unsigned long unused;
    void *base;
    unsigned size;
};

struct module {
    int state;
    struct list_head list;
    char name[56];
#ifdef MEM
    struct module_memory mem[7];
#else
    struct module_layout core_layout;
#endif
};

struct list_head modules;

struct module *module_kernel(void);

struct module *module_kernel(void)
{
    return (struct module *)modules.next;
}
