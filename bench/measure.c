/* Run a command several times and say how long it took and how much memory it had, as one JSON
 * object.
 *
 *     measure RUNS BEFORE COMMAND...      BEFORE: a shell command run ahead of each run, "" for
 * none
 *
 * {"runs":5,"median_ms":12.345,"best_ms":..,"worst_ms":..,"rss_mb":..}   rss_mb: the largest of all
 * runs
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 1000

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Milliseconds, or -1 when the command failed. */
static double run_once(char **command, long *rss_kb)
{
    struct rusage used;
    int status;
    double start = now_ms();
    pid_t child = fork();

    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);

        if (nothing >= 0)
            (void)dup2(nothing, STDOUT_FILENO);
        execvp(command[0], command);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return -1;
    if (used.ru_maxrss > *rss_kb)
        *rss_kb = used.ru_maxrss;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? now_ms() - start : -1;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static double took[RUNS_MAX];
    long runs = argc > 3 ? strtol(argv[1], NULL, 10) : 0, rss_kb = 0;

    if (runs < 1 || runs > RUNS_MAX) {
        (void)fprintf(stderr, "usage: measure RUNS BEFORE COMMAND...\n");
        return 2;
    }
    for (long i = 0; i < runs; i++) {
        if (argv[2][0] != '\0' && system(argv[2]) != 0)
            return 1;
        took[i] = run_once(argv + 3, &rss_kb);
        if (took[i] < 0) {
            (void)fprintf(stderr, "measure: %s failed\n", argv[3]);
            return 1;
        }
    }
    qsort(took, (size_t)runs, sizeof(took[0]), by_size);
    (void)printf(
        "{\"runs\":%ld,\"median_ms\":%.3f,\"best_ms\":%.3f,\"worst_ms\":%.3f,\"rss_mb\":%.1f}\n",
        runs, took[runs / 2], took[0], took[runs - 1], (double)rss_kb / 1024);
    return 0;
}
