// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/xml.h"

int gnuplot_begin(struct gnuplot *g, const char *name, unsigned width, unsigned height,
                  struct err *err)
{
    int fd = memfd_create("gnuplot", 0); /* inherited by gnuplot */

    *g = (struct gnuplot){.name = name, .width = width, .height = height};
    if (fd < 0 || !(g->script = fdopen(fd, "w"))) {
        int code = errno;

        if (fd >= 0)
            close(fd);
        return err_set(err, code, "cannot make a figure: %s", strerror(code));
    }
    fprintf(g->script,
            "set terminal svg size %u,%u dynamic font 'sans-serif,12' name '%s' noenhanced\n"
            "set output\n"
            "unset key\n",
            width, height, name);
    return 0;
}

void gnuplot_word(struct gnuplot *g, const char *text)
{
    if (!*text)
        fputc('_', g->script);
    for (; *text; text++)
        fputc(isascii(*text) && (isalnum(*text) || strchr("/-.+", *text)) ? *text : '_', g->script);
}

/* Everything that it prints; its exit status. */
static int run(int fd, char **ret_text)
{
    char command[128], *text = NULL;
    size_t size = 0;
    FILE *p;

    snprintf(command, sizeof(command),
             "command -v gnuplot >/dev/null || exit 127; exec gnuplot -d /proc/self/fd/%d", fd);
    p = popen(command, "r");
    if (!p)
        return -1;
    if (getdelim(&text, &size, '\0', p) < 0) {
        free(text);
        text = NULL;
    }
    *ret_text = text;
    return pclose(p);
}

/*
 * Its header and its markers go: they would be on the page once for each figure, under the same
 * names, and none of them is used.
 */
static int write_svg(const struct gnuplot *g, const char *text, const char *title,
                     const char *description, FILE *out, struct err *err)
{
    static const char begin[] = "</defs>";
    const char *body = strstr(text, begin);

    if (!body || !strstr(body, "</svg>"))
        return err_set(err, EPROTO, "gnuplot's output is not the SVG that was expected");
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" role=\"img\" "
            "aria-labelledby=\"%s-title %s-text\">\n<title id=\"%s-title\">",
            g->width, g->height, g->name, g->name, g->name);
    xml_text(out, title);
    fprintf(out, "</title>\n<desc id=\"%s-text\">", g->name);
    xml_text(out, description);
    fputs("</desc>\n<g>", out);
    fputs(body + sizeof(begin) - 1, out);
    return 0;
}

int gnuplot_end(struct gnuplot *g, const char *title, const char *description, FILE *out,
                struct err *err)
{
    char *text = NULL;
    int r, status;

    fflush(g->script);
    status = run(fileno(g->script), &text);
    if (status < 0)
        r = err_set(err, errno, "cannot run gnuplot: %s", strerror(errno));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        r = err_set(err, ENOENT,
                    "gnuplot, which draws the figures, is not there: "
                    "apt-get install gnuplot-nox");
    else if (status || !text)
        r = err_set(err, EIO, "gnuplot failed to draw the figure '%s'", g->name);
    else
        r = write_svg(g, text, title, description, out, err);
    free(text);
    fclose(g->script);
    return r;
}
