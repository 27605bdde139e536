/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A database as a campaign of all fault classes leaves it, drawn from a fixed seed. */
#ifndef WCR_ANALYSIS_TESTS_SAMPLE_H
#define WCR_ANALYSIS_TESTS_SAMPLE_H

/* Consoles have this in them. */
#define SAMPLE_HOSTILE "</pre><script>document.title = 'owned'</script><img src=x onerror=alert(1)>"

/* @trials of each class, and golden ones. What fails fails the test that runs. */
void sample_write(const char *path, unsigned trials);

#endif
