/* Runs a fuzz target over its corpus as an ordinary test: TAP, a line a seed.
 *
 * Each seed goes in whole and cut at every length (at SAMPLE_MAX of them when it is long), from a
 * heap block of exactly that size, so that the sanitizer sees a read past the end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 4096
#define SEED_BYTES_MAX (1 << 20)
#define SAMPLE_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static unsigned char seed[SEED_BYTES_MAX];

static void run_head(size_t count)
{
    unsigned char *copy = malloc(count > 0 ? count : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, seed, count);
    (void)LLVMFuzzerTestOneInput(copy, count);
    free(copy);
}

static int run_seed(const char *folder, const char *name, unsigned number)
{
    char path[PATH_BYTES_MAX];
    FILE *file = NULL;
    int bytes = snprintf(path, sizeof(path), "%s/%s", folder, name);

    if (bytes > 0 && (size_t)bytes < sizeof(path))
        file = fopen(path, "rb");
    if (file == NULL) {
        printf("not ok %u - %s cannot be read\n", number, name);
        return 1;
    }
    size_t count = fread(seed, 1, sizeof(seed), file);
    (void)fclose(file);
    size_t step = count / SAMPLE_MAX + 1;
    for (size_t cut = 0; cut < count; cut += step)
        run_head(cut);
    run_head(count);
    printf("ok %u - %s\n", number, name);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned number = 0;
    int bad = 0;

    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.')
            bad += run_seed(argv[1], entry->d_name, ++number);
    (void)closedir(folder);
    printf("1..%u\n", number);
    return bad > 0 || number == 0;
}
