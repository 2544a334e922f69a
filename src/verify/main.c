/* entente-verify: check files of a ledger with public keys alone.  Links libsodium and libc. */
#include <getopt.h>
#include <string.h>

#include "verify/report.h"

#include "base/banned.h"

static const char usage[] =
    "usage: entente-verify [--key VKEY] [--keys FILE] [--witness VKEY]... [--quorum COUNT]\n"
    "                      [--since FILE]... [--list] [--json] [--quiet] FILE|FOLDER...\n"
    "\n"
    "Check what an Entente ledger handed out, offline: proofs, bundles, heads, proofs of\n"
    "consistency, and folders that \"entente ledger export\" wrote.  Prints what they prove.\n"
    "\n"
    "  --key VKEY       a log's public key: NAME+ID+BASE64; may be repeated\n"
    "  --keys FILE      keys of logs and witnesses, one a line\n"
    "  --witness VKEY   a witness's public key; may be repeated\n"
    "  --quorum COUNT   how many witnesses must have cosigned (default: all that --witness names)\n"
    "  --since FILE     a head from before, which the log must continue; may be repeated\n"
    "  --list           print the entries of a bundle\n"
    "  --json           print JSON, one object a line\n"
    "  --quiet          print failures only\n"
    "\n"
    "Exit: 0 all hold, 5 something does not, 1 a file cannot be read, 2 misused.\n";

static const struct option options[] = {
    {"key", required_argument, NULL, 'k'},
    {"keys", required_argument, NULL, 'K'},
    {"witness", required_argument, NULL, 'w'},
    {"quorum", required_argument, NULL, 'n'},
    {"since", required_argument, NULL, 's'},
    {"list", no_argument, NULL, 'l'},
    {"json", no_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* REPORT_PROVEN: go on. */
static enum report_exit option_take(struct report *report, int option)
{
    bool is_good = true;

    switch (option) {
    case 'k':
    case 'w':
        is_good = report_key(report, optarg, option == 'w');
        break;
    case 'K':
        is_good = report_keys(report, optarg);
        break;
    case 'n':
        is_good = report_quorum(report, optarg);
        break;
    case 's':
        is_good = report_since(report, optarg);
        break;
    case 'l':
        report->list = true;
        break;
    case 'j':
        report->json = true;
        break;
    case 'q':
        report->quiet = true;
        break;
    default: /* getopt has said what is wrong */
        is_good = false;
    }
    return is_good ? REPORT_PROVEN : REPORT_MISUSED;
}

int main(int argc, char **argv)
{
    static struct report report = {.program = "entente-verify"};
    static char name[] = "entente-verify";

    if (!entente_start()) {
        (void)fprintf(stderr, "entente-verify: libsodium does not start\n");
        return REPORT_FAILED;
    }
    if (argc > 0)
        argv[0] = name; /* what getopt puts in front of its words */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    for (int option; (option = getopt_long(argc, argv, "qh", options, NULL)) != -1;) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? REPORT_FAILED : REPORT_PROVEN;
        if (option == 'V')
            return printf("entente-verify %s\n", ENTENTE_VERSION) < 0 ? REPORT_FAILED
                                                                      : REPORT_PROVEN;
        if (option_take(&report, option) != REPORT_PROVEN)
            return REPORT_MISUSED;
    }
    if (optind == argc || report.key_count == 0) {
        (void)fprintf(stderr, "entente-verify: %s\n",
                      optind == argc ? "name a file or folder to check"
                                     : "name the log's key by --key or --keys: without it nothing "
                                       "is proven");
        return REPORT_MISUSED;
    }
    return (int)report_run(&report, argv + optind, (size_t)(argc - optind));
}
