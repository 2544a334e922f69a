/* Reference cases of decisions: a file of agreements, markings and situations, each with the answer
 * that is expected of it (docs/FORMATS.md, "Decision cases").
 *
 * Every case is decided by agreement_decide itself; nothing here knows the rules.
 */
#pragma once

#include "agreement/decide.h"
#include "json/write.h"

struct cases {
    struct json_doc doc;
    struct value root;
    struct arena arena; /* owned: what all cases share */
    struct markings markings;
    const struct case_name *agreements; /* by name */
    size_t agreement_count;
};

#define CASES_ARENA_BYTES_MAX ((size_t)2 << 30)
#define CASE_ARENA_BYTES_MAX ((size_t)64 << 20)

/* doc stays the caller's and must outlive *out.  ERR_INVALID: no file of cases. */
MUST_USE result cases_open(const struct json_doc *doc, struct cases *out, struct diag *diag);
void cases_close(struct cases *cases); /* fits CLEANUP */

/* Walk the cases: json_each over this. */
struct value cases_list(const struct cases *cases);

struct case_answer {
    slice id; /* empty: the case has none */
    struct decision decision;
    const char *differs; /* the key of "expect" that has another answer; NULL: none */
    bool has_expect;
};

/* Decide one case.  Everything in *out is borrowed or stands in the arena. */
void case_decide(const struct cases *cases, struct value one, struct arena *arena,
                 struct case_answer *out);

/* {"id", "decision", "reasons", "removed", "obligations", and "result_tlp", "new_id", "until" where
 * they are} */
void case_write(const struct case_answer *answer, struct json_writer *w);
