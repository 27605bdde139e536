// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs core_fuzz.c where there is no libFuzzer: on the files given, or on so many random
 * inputs (WCR_FUZZ_RUNS, WCR_FUZZ_SEED). WCR_FUZZ_KEEP names a file that holds the input
 * being run, for when one fails.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t input[INPUT_MAX];

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t size;

    if (!f) {
        perror(path);
        return 2;
    }
    size = fread(input, 1, sizeof(input), f);
    fclose(f);
    return LLVMFuzzerTestOneInput(input, size);
}

/* Before the run: after an abort there is nobody to write it. */
static int leave(const char *path, size_t size)
{
    FILE *f = fopen(path, "wb");
    int bad;

    if (!f)
        return -1;
    bad = fwrite(input, 1, size, f) != size;
    return fclose(f) || bad ? -1 : 0;
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value ? strtoull(value, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t runs = env_number("WCR_FUZZ_RUNS", 2000), state = env_number("WCR_FUZZ_SEED", 1);
    const char *keep = getenv("WCR_FUZZ_KEEP");

    for (int i = 1; i < argc; i++)
        if (run_file(argv[i]))
            return 2;
    for (uint64_t run = 0; argc == 1 && run < runs; run++) {
        size_t size = 1 + (run * 97) % (INPUT_MAX / 2);

        for (size_t i = 0; i < size; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            input[i] = (uint8_t)(state >> 56);
        }
        if (keep && leave(keep, size))
            return 2;
        LLVMFuzzerTestOneInput(input, size);
    }
    return 0;
}
