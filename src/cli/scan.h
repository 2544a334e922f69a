/* What the parts of `entente scan` share: its options, read once; its output; its counts. */
#pragma once

#include "cli/cli.h"
#include "scan/files.h"
#include "scan/follow.h"
#include "scan/pipeline.h"
#include "scan/scanner.h"

/* As grep has them; errors that end other commands with other codes end this one with 2. */
enum scan_exit { SCAN_HIT = 0, SCAN_NONE = 1, SCAN_ERROR = 2 };

#define SCAN_REPORTS_MAX 5 /* broken lines of one stream that are told; more are counted */
#define SCAN_ONLY_MAX 32
#define SCAN_OUT_BYTES_MAX ((size_t)1 << 30)

enum scan_form {
    SCAN_TERMINAL, /* lines, with what was found in them marked */
    SCAN_LINES,    /* a hit a line, columns between tabs */
    SCAN_JSON,
    SCAN_COUNT,
    SCAN_NAMES, /* of inputs with a hit */
    SCAN_SILENT,
};

/* Of one stream; belongs to the stage that gives blocks on. */
struct scan_stream {
    struct detector_state *state; /* owned; NULL when no rule needs it */
    uint64_t hit_lines, hits, broken;
    uint64_t last_offset; /* of the last line that hit, when hit_lines > 0 */
};

struct scan_totals {
    uint64_t inputs, lines, bytes;
    uint64_t broken, too_long;
    uint64_t read, checked; /* lines that the sieve let through; rules evaluated on them */
    uint64_t hits, hit_lines;
    uint64_t dropped, gave_up;
    uint64_t marks, evicted; /* of rules over several events */
    uint64_t lost;           /* inputs that could not be read: atomic */
    uint64_t load_ns, scan_ns;
};

struct scan {
    struct cli *cli;
    enum scan_form form;
    bool has_colour, has_names; /* has_names: of --count, as grep */
    bool is_single;             /* one input, which is no folder */
    bool is_live;               /* --follow or --listen */
    bool is_kept;               /* --report or --record: all of the input is wanted */
    size_t max_count;           /* lines of a stream; SIZE_MAX: all */
    const char *only[SCAN_ONLY_MAX];
    size_t only_count;
    const struct ruleset *set;
    struct buf out;     /* of a block, before it is written */
    struct arena arena; /* of a block: rules' texts */
    bool is_deaf;       /* standard output is closed */
    struct scan_totals totals;
};

/* ---- scan_keep.c ---- */

/* What goes to the node, with --report and --record; without them nothing happens. */
struct scan_keep {
    struct node node;
    bool is_open;          /* the node */
    struct report *report; /* owned; NULL: not asked for */
    struct retro *retro;   /* owned; likewise */
    struct arena arena;    /* of a rule */
    uint64_t pending;      /* hits since the last flush */
    struct report_counts counts;
};

/* CLI_OK, or the exit code with words said; to be freed in any case. */
MUST_USE int scan_keep_open(struct cli *cli, struct scan_keep *keep);
void scan_keep_free(struct scan_keep *keep);
/* An event that was read, for the record: from any thread.  context: the scan_keep. */
void scan_keep_event(void *context, const struct telemetry_event *event);
/* Hits that are told, in the order of the input. */
MUST_USE result scan_keep_hits(struct scan_keep *keep, const struct ruleset *set,
                               const struct hit *hits, size_t count, struct diag *diag);
/* Between blocks of what is followed: sightings of what was taken are durable. */
MUST_USE result scan_keep_on(struct scan_keep *keep, struct diag *diag);
/* All is durable. */
MUST_USE result scan_keep_end(struct scan_keep *keep, struct diag *diag);
void scan_keep_tell(const struct scan_keep *keep, const struct cli *cli);

/* ---- scan_rules.c ---- */

/* The rules that the options ask for.  0, or the exit code with words said.  *set is owned.
 * node: open already, or NULL. */
MUST_USE int scan_rules_load(struct cli *cli, struct node *node, struct ruleset **set);
bool scan_tlp_parse(slice word, enum rule_tlp *out);
const char *scan_tlp_name(enum rule_tlp tlp); /* NULL for none */

/* ---- scan_print.c ---- */

/* The hits of one line, all of them, to scan->out. */
void scan_print_line(struct scan *scan, const struct input_block *block, const struct hit *hits,
                     size_t count);
/* What a stream's end is told by: its count. */
void scan_print_end(struct scan *scan, const char *name, const struct scan_stream *stream);
/* To standard output; false: nobody reads it any more, or *code is set with words said. */
MUST_USE bool scan_write(struct scan *scan, int *code);
void scan_summary(const struct scan *scan);
