/* The way out to readers: what an account, or anyone who logs in as nobody, gets of stored objects.
 *
 * Every page of objects passes here before it leaves.  agreement_decide judges each object, by the
 * agreements with the reader's organisation or, where there is none, by the house rule
 * (gate/house.h).  An answer is kept with the addition's number: inside the own organisation for
 * ever, since a text never changes; for others until the log has another entry, and one second at
 * most, since dates pass.
 */
#pragma once

#include "account/account.h"
#include "agreement/decide.h"
#include "agreement/keep.h"
#include "store/store.h"

struct gate; /* the live part: answers that were given; safe from any thread */

struct gate_options {
    const struct keep_place *keep; /* copied; NULL: a node without agreements */
    const struct world *world;     /* borrowed */
};

MUST_USE result gate_open(const struct gate_options *options, struct gate **out, struct diag *diag);
void gate_close(struct gate **gate); /* fits CLEANUP; NULL is fine */

struct reader_of {
    enum recipient_class class;
    slice organisation; /* empty: of the own organisation, or of the public */
    slice person;       /* empty: unknown */
    bool is_encrypted;  /* the way to it */
};

/* Whom an account stands for; NULL: nobody in particular, the public.  Texts are borrowed. */
struct reader_of gate_reader(const struct gate *gate, struct store_view *view,
                             const struct account *account);
/* An organisation by its identity: a partner when its card is kept, else a client. */
struct reader_of gate_organisation(const struct gate *gate, struct store_view *view,
                                   slice organisation);

/* Is everything let through but what names its recipients? */
bool gate_is_inside(const struct reader_of *reader);

/* Take out of a page what the reader may not have, and put redacted copies in the place of what may
 * go only so.  with_text: page->text is made when it is not there, and anew when anything changes.
 * ids: of what is redacted its new id, else at NULL; NULL as a whole when nothing is.  `more` and
 * next_seq stay.  Fails rather than let out what was not decided. */
MUST_USE result gate_page(struct gate *gate, struct store_view *view,
                          const struct reader_of *reader, bool with_text, struct arena *arena,
                          struct store_page *page, const slice **ids, struct diag *diag);

/* The decisions on one object's version for a reader, as gate_page takes them.  new_id and text:
 * of the redacted copy, in the arena; empty for any other verdict. */
struct gate_answer {
    enum verdict verdict;
    enum reason reason;    /* the first, of what is not shared */
    enum action permitted; /* of what goes: what the reader may do with it, at most */
    slice new_id, text;
};
MUST_USE result gate_decide(struct gate *gate, struct store_view *view,
                            const struct reader_of *reader, const struct store_item *item,
                            struct arena *arena, struct gate_answer *out, struct diag *diag);
