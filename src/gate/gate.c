#include "gate/gate.h"

#include <pthread.h>
#include <stdio.h>

#include "agreement/redact.h"
#include "gate/house.h"
#include "gate/look.h"
#include "gate/origin.h"
#include "ledger/ledger.h"

#include "base/banned.h"

#define GATE_BYTES_MAX (sizeof(struct gate) + 65536)
#define RECIPIENTS_MAX 32 /* whose answers are kept; then the one that asked longest ago goes */
#define KEPT_BYTES_MAX ((size_t)64 << 20)
#define WAY_BYTES_MAX ((size_t)1 << 20)
#define DECIDE_BYTES_MAX ((size_t)64 << 20)
#define ANSWERS_MAX ((size_t)1 << 30)
#define CHUNK_SEQS ((size_t)65536)
#define CHUNKS_MAX 16384
#define KEY_BYTES_MAX 200
#define AGREEMENTS_MAX 1000
#define US_PER_S 1000000
#define NAMED "x_entente_named_recipients"

/* What is known of an addition, a byte each. */
enum known { KNOWN_NOT, KNOWN_SHARE, KNOWN_ASK, KNOWN_WITHHELD };

/* One recipient outside: what it has agreed to, and what was answered. */
struct recipient {
    char key[KEY_BYTES_MAX];
    uint64_t entry_count; /* of the log, when this was read */
    int64_t second;       /* when answers were last forgotten */
    uint64_t used;        /* by the gate's count of uses */
    struct arena arena;   /* owned: markings and agreements */
    struct markings markings;
    struct kept *agreements; /* in the arena; each is freed */
    size_t agreement_count;
    uint8_t *answers; /* owned; enum known */
    size_t answer_count;
};

struct gate {
    struct arena arena; /* owned: this struct lives in it */
    struct keep_place keep;
    bool has_keep;
    const struct world *world;
    slice own;
    struct agreement house;
    uint8_t *inside[CHUNKS_MAX]; /* owned, set once each; of the own organisation's readers */
    pthread_mutex_t lock;        /* guards what follows */
    struct recipient recipients[RECIPIENTS_MAX];
    uint64_t uses;
    struct look look;
    struct arena scratch; /* of one decision */
};

result gate_open(const struct gate_options *options, struct gate **out, struct diag *diag)
{
    struct arena arena = ARENA(GATE_BYTES_MAX);
    struct gate *gate = arena_new(&arena, struct gate, 1);

    *out = NULL;
    if (gate == NULL) {
        arena_free(&arena);
        return diag_fail(diag, ERR_LIMIT, "no memory for decisions");
    }
    *gate = (struct gate){.arena = arena,
                          .has_keep = options->keep != NULL,
                          .world = options->world,
                          .own = SLICE("identity--own"),
                          .scratch = ARENA(DECIDE_BYTES_MAX)};
    (void)pthread_mutex_init(&gate->lock, NULL);
    if (options->keep != NULL) {
        gate->keep = *options->keep;
        gate->own = options->keep->own;
    }
    *out = gate;
    result r = look_init(&gate->look, diag);
    if (succeeded(r))
        r = house_rule(gate->own, &gate->arena, &gate->house, diag);
    if (failed(r))
        gate_close(out);
    return r;
}

static void recipient_forget(struct recipient *recipient)
{
    for (size_t i = 0; i < recipient->agreement_count; i++)
        kept_free(&recipient->agreements[i]);
    recipient->agreements = NULL;
    recipient->agreement_count = 0;
    recipient->markings = (struct markings){0};
    arena_free(&recipient->arena);
    recipient->arena = ARENA(KEPT_BYTES_MAX);
}

void gate_close(struct gate **gate)
{
    if (*gate == NULL)
        return;
    for (size_t i = 0; i < RECIPIENTS_MAX; i++) {
        recipient_forget(&(*gate)->recipients[i]);
        table_free((*gate)->recipients[i].answers);
    }
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        table_free((*gate)->inside[i]);
    look_free(&(*gate)->look);
    arena_free(&(*gate)->scratch);
    (void)pthread_mutex_destroy(&(*gate)->lock);
    struct arena arena = (*gate)->arena;
    *gate = NULL;
    arena_free(&arena);
}

/* ---- who reads ---- */

bool gate_is_inside(const struct reader_of *reader)
{
    return reader->class == RECIPIENT_SELF;
}

struct reader_of gate_organisation(const struct gate *gate, struct store_view *view,
                                   slice organisation)
{
    struct reader_of reader = {.class = RECIPIENT_CLIENT, .organisation = organisation};
    slice card;

    if (organisation.len == 0 || slice_eq(organisation, gate->own))
        return (struct reader_of){.class = RECIPIENT_SELF};
    if (gate->has_keep && keep_card(&gate->keep, &view->txn, organisation, &card))
        reader.class = RECIPIENT_PARTNER;
    return reader;
}

struct reader_of gate_reader(const struct gate *gate, struct store_view *view,
                             const struct account *account)
{
    struct reader_of reader = {.class = RECIPIENT_PUBLIC};

    if (account == NULL)
        return reader;
    reader = gate_organisation(gate, view, slice_text(account->organisation));
    reader.person = slice_text(account->person);
    return reader;
}

static slice class_name(enum recipient_class class)
{
    switch (class) {
    case RECIPIENT_SELF:
        return SLICE("self");
    case RECIPIENT_CLIENT:
        return SLICE("client");
    case RECIPIENT_COMMUNITY:
        return SLICE("community");
    case RECIPIENT_PUBLIC:
        return SLICE("public");
    case RECIPIENT_PARTNER:
    case RECIPIENT_OTHER:
        break;
    }
    return SLICE("partner");
}

/* ---- one decision ---- */

/* What it is decided by.  agreements NULL: by the house rule. */
struct basis {
    const struct kept *agreements;
    size_t agreement_count;
    const struct markings *markings;
    const struct way *way; /* of what a partner gave; NULL: it is the node's own */
};

static struct decide_request request_of(const struct gate *gate, const struct reader_of *reader,
                                        const struct basis *basis, struct look *look)
{
    return (struct decide_request){
        .provider = gate->own,
        .recipient =
            reader->organisation.len > 0 ? reader->organisation : class_name(reader->class),
        .country = SLICE("???"),
        .class_text = class_name(reader->class),
        .class = reader->class,
        .now_us = gate->world->now_us(gate->world->context),
        .person = reader->person.len > 0 ? reader->person : SLICE_NONE,
        .is_transit_encrypted = reader->is_encrypted,
        .markings = basis->markings,
        .world = {look_target, look},
    };
}

static result redacted_id(slice text, struct look *look, struct arena *arena, slice *out,
                          struct diag *diag)
{
    TRY(json_parse_copy(look->parsers[1], text, &look->docs[1], diag));
    struct value copy = {&look->docs[1], look->docs[1].nodes};

    if (!value_text(value_get(copy, SLICE("id")), arena, out))
        return diag_fail(diag, ERR_CORRUPT, "a redacted copy has no id");
    *out = arena_copy(arena, *out);
    return OK;
}

/* A copy that cannot be made as it must be does not leave. */
static result redact(const struct agreement *agreement, struct value object,
                     const struct decision *decision, struct look *look, struct arena *arena,
                     struct gate_answer *out, struct diag *diag)
{
    CLEANUP(buf_free) struct buf text = BUF(DECIDE_BYTES_MAX);
    result r = agreement_redact(agreement, object, decision, look->arena, &text, diag);

    if (failed(r)) {
        *diag = (struct diag){0};
        *out = (struct gate_answer){.verdict = VERDICT_REFUSE, .reason = REASON_OBJECT_MALFORMED};
        return OK;
    }
    out->text = arena_copy(arena, buf_slice(&text));
    if (out->text.at == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for a redacted copy");
    return redacted_id(out->text, look, arena, &out->new_id, diag);
}

/* What the decision says may be done, for it travels along as an obligation. */
static enum action permitted_of(const struct decision *decision)
{
    enum action permitted;

    for (size_t i = 0; i < decision->obligation_count; i++)
        if (slice_eq(decision->obligations[i].name, SLICE("permitted_actions")))
            return action_parse(decision->obligations[i].value, &permitted) ? permitted
                                                                            : ACTION_NONE;
    return ACTION_DIRECT; /* not said */
}

/* Of several agreements the one that gives most counts; each was signed to give that much. */
static bool is_better(enum verdict verdict, enum verdict than)
{
    static const int worth[] = {
        [VERDICT_SHARE] = 3, [VERDICT_REDACT] = 2, [VERDICT_HOLD] = 1, [VERDICT_REFUSE] = 0};

    return worth[verdict] > worth[than];
}

static result decide(struct gate *gate, const struct reader_of *reader, const struct basis *basis,
                     struct look *look, slice text, struct arena *arena, struct gate_answer *out,
                     struct diag *diag)
{
    struct terms_grant grants[HOUSE_GRANTS];
    struct decision decision, best = {.verdict = VERDICT_REFUSE};
    struct agreement house;
    const struct agreement *by = &house;
    struct decide_request request = request_of(gate, reader, basis, look);

    if (basis->way != NULL)
        origin_ask(&gate->keep, &look->view->txn, basis->way, look->arena, &request);

    *out = (struct gate_answer){.verdict = VERDICT_REFUSE, .reason = REASON_OBJECT_MALFORMED};
    if (text.len == 0 || failed(json_parse_copy(look->parsers[0], text, &look->docs[0], NULL)))
        return OK;
    struct value object = {&look->docs[0], look->docs[0].nodes};
    house_rule_for(&gate->house, object, look->arena, grants, &house);
    if (basis->agreement_count == 0)
        agreement_decide(&house, object, &request, look->arena, &best);
    for (size_t i = 0; i < basis->agreement_count; i++) {
        agreement_decide(&basis->agreements[i].terms, object, &request, look->arena, &decision);
        if (i > 0 && !is_better(decision.verdict, best.verdict))
            continue;
        best = decision;
        by = &basis->agreements[i].terms;
    }
    out->verdict = best.verdict;
    out->reason = best.reason_count > 0 ? best.reasons[0] : REASON_OK;
    out->permitted = permitted_of(&best);
    return best.verdict == VERDICT_REDACT ? redact(by, object, &best, look, arena, out, diag) : OK;
}

/* ---- inside: nothing is withheld but what names others ---- */

/* The byte of an addition; NULL past what is kept or without memory: then each is looked at anew.
 */
static uint8_t *inside_at(struct gate *gate, uint64_t seq)
{
    size_t index = (size_t)(seq / CHUNK_SEQS), capacity = 0;
    uint8_t *none = NULL;

    if (index >= CHUNKS_MAX)
        return NULL;
    uint8_t *chunk = __atomic_load_n(&gate->inside[index], __ATOMIC_ACQUIRE);
    if (chunk == NULL) {
        uint8_t *made = table_grow(NULL, &capacity, CHUNK_SEQS, CHUNK_SEQS, 1);

        if (made == NULL)
            return NULL;
        memset(made, KNOWN_NOT, CHUNK_SEQS);
        if (__atomic_compare_exchange_n(&gate->inside[index], &none, made, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            chunk = made;
        else {
            chunk = none; /* another thread was first */
            table_free(made);
        }
    }
    return chunk + seq % CHUNK_SEQS;
}

/* An escaped key would hide from a search of bytes, so a text with escapes is asked about. */
static bool names_recipients(slice text)
{
    if (slice_find(text, SLICE(NAMED)) != SIZE_MAX)
        return true;
    return slice_find_byte(text, '\\') != SIZE_MAX && slice_find(text, SLICE("\\u")) != SIZE_MAX;
}

static bool is_named(struct look *look, slice text)
{
    if (failed(json_parse_copy(look->parsers[0], text, &look->docs[0], NULL)))
        return true;
    return value_is_there(
        value_get((struct value){&look->docs[0], look->docs[0].nodes}, SLICE(NAMED)));
}

static enum known inside_known(struct gate *gate, struct store_view *view, uint64_t seq)
{
    uint8_t *byte = inside_at(gate, seq);
    enum known known = byte != NULL ? __atomic_load_n(byte, __ATOMIC_RELAXED) : KNOWN_NOT;
    struct store_item item;

    if (known != KNOWN_NOT)
        return known;
    if (!store_item_at(view, seq, &item))
        return KNOWN_ASK;
    known = names_recipients(item.text) ? KNOWN_ASK : KNOWN_SHARE;
    if (byte != NULL)
        __atomic_store_n(byte, (uint8_t)known, __ATOMIC_RELAXED);
    return known;
}

/* Are these additions, which follow each other, all known to go as they are?  Eight at a time: on
 * small pages a look at each was a twelfth of the whole answer. */
static bool inside_run_shared(const struct gate *gate, uint64_t seq, size_t count)
{
    static const uint64_t eight = KNOWN_SHARE * UINT64_C(0x0101010101010101);

    while (count > 0) {
        size_t index = (size_t)(seq / CHUNK_SEQS), at = (size_t)(seq % CHUNK_SEQS), step = 1;
        const uint8_t *chunk =
            index < CHUNKS_MAX ? __atomic_load_n(&gate->inside[index], __ATOMIC_ACQUIRE) : NULL;

        if (chunk == NULL)
            return false;
        if (at % sizeof eight == 0 && count >= sizeof eight) {
            step = sizeof eight;
            if (__atomic_load_n((const uint64_t *)(const void *)(chunk + at), __ATOMIC_RELAXED) !=
                eight)
                return false;
        } else if (__atomic_load_n(chunk + at, __ATOMIC_RELAXED) != KNOWN_SHARE)
            return false;
        seq += step;
        count -= step;
    }
    return true;
}

static result inside_decide(struct gate *gate, const struct reader_of *reader, struct look *look,
                            slice text, struct arena *arena, struct gate_answer *out,
                            struct diag *diag)
{
    struct basis basis = {0};
    struct markings markings;

    *out = (struct gate_answer){.verdict = VERDICT_SHARE, .permitted = ACTION_DIRECT};
    if (!names_recipients(text) || !is_named(look, text))
        return OK;
    TRY(look_markings(look, &markings, diag));
    basis.markings = &markings;
    return decide(gate, reader, &basis, look, text, arena, out, diag);
}

/* ---- outside: recipients ---- */

static bool has_party(const struct kept *kept, slice organisation)
{
    return kept->terms.is_signed && texts_hold(kept->terms.parties, organisation);
}

static result agreements_read(struct gate *gate, struct store_view *view,
                              const struct reader_of *reader, struct recipient *out,
                              struct diag *diag)
{
    slice id;

    out->agreements = arena_new(&out->arena, struct kept, AGREEMENTS_MAX);
    if (out->agreements == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for agreements");
    for (size_t i = 0; gate->has_keep && out->agreement_count < AGREEMENTS_MAX &&
                       keep_agreement_at(&gate->keep, &view->txn, i, &out->arena, &id);
         i++) {
        struct kept *kept = &out->agreements[out->agreement_count];
        bool found = false;

        *kept = (struct kept){0};
        TRY(keep_read_in_force(&gate->keep, &view->txn, id, &out->arena, kept, &found, diag));
        if (found && has_party(kept, reader->organisation))
            out->agreement_count++;
        else
            kept_free(kept);
    }
    return view->txn.state;
}

static struct recipient *recipient_slot(struct gate *gate, const char *key)
{
    struct recipient *oldest = &gate->recipients[0];

    for (size_t i = 0; i < RECIPIENTS_MAX; i++) {
        struct recipient *one = &gate->recipients[i];

        if (strcmp(one->key, key) == 0)
            return one;
        if (one->used < oldest->used)
            oldest = one;
    }
    recipient_forget(oldest);
    (void)snprintf(oldest->key, sizeof(oldest->key), "%s", key);
    oldest->entry_count = UINT64_MAX;
    return oldest;
}

/* Room for what this view holds, all unknown. */
static result answers_forget(struct recipient *recipient, const struct store_view *view,
                             struct diag *diag)
{
    uint8_t *moved = table_grow(recipient->answers, &recipient->answer_count,
                                (size_t)view->seq_end + 1, ANSWERS_MAX, 1);

    if (moved == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for decisions");
    recipient->answers = moved;
    memset(moved, KNOWN_NOT, recipient->answer_count);
    return OK;
}

static result recipient_find(struct gate *gate, struct store_view *view,
                             const struct reader_of *reader, struct recipient **out,
                             struct diag *diag)
{
    char key[KEY_BYTES_MAX];
    uint64_t entries = ledger_count(&view->txn, store_log_table(view->store));
    int64_t second = gate->world->now_us(gate->world->context) / US_PER_S;

    (void)snprintf(key, sizeof(key), "%d %d %.*s %.*s", (int)reader->class, reader->is_encrypted,
                   SLICE_ARG(reader->organisation), SLICE_ARG(reader->person));
    struct recipient *recipient = recipient_slot(gate, key);
    *out = recipient;
    recipient->used = ++gate->uses;
    if (recipient->entry_count == entries && recipient->second == second)
        return OK;
    if (recipient->entry_count != entries) {
        recipient_forget(recipient);
        recipient->entry_count = UINT64_MAX; /* until all of it is read */
        gate->look.arena = &recipient->arena;
        TRY(look_markings(&gate->look, &recipient->markings, diag));
        TRY(agreements_read(gate, view, reader, recipient, diag));
    }
    TRY(answers_forget(recipient, view, diag));
    recipient->entry_count = entries;
    recipient->second = second;
    return OK;
}

static result outside_decide(struct gate *gate, const struct reader_of *reader,
                             const struct recipient *recipient, const struct way *way, slice text,
                             struct arena *arena, struct gate_answer *out, struct diag *diag)
{
    struct basis basis = {recipient->agreements, recipient->agreement_count, &recipient->markings,
                          way};

    arena_reset(&gate->scratch);
    gate->look.arena = &gate->scratch;
    return decide(gate, reader, &basis, &gate->look, text, arena, out, diag);
}

/* ---- pages ---- */

struct sifting {
    struct gate *gate;
    struct store_view *view;
    const struct reader_of *reader;
    struct recipient *recipient; /* NULL: inside */
    struct look look;            /* inside */
    struct arena scratch;        /* inside: of one decision */
    struct arena way;            /* of one object */
    struct arena *arena;
};

static struct sifting sifting_of(struct gate *gate, struct store_view *view,
                                 const struct reader_of *reader, struct arena *arena)
{
    return (struct sifting){.gate = gate,
                            .view = view,
                            .reader = reader,
                            .scratch = ARENA(DECIDE_BYTES_MAX),
                            .way = ARENA(WAY_BYTES_MAX),
                            .arena = arena};
}

static enum known known_of(const struct sifting *s, uint64_t seq)
{
    if (s->recipient == NULL)
        return inside_known(s->gate, s->view, seq);
    return seq < s->recipient->answer_count ? s->recipient->answers[seq] : KNOWN_NOT;
}

static void remember(const struct sifting *s, uint64_t seq, enum verdict verdict)
{
    static const enum known of[] = {[VERDICT_SHARE] = KNOWN_SHARE,
                                    [VERDICT_REDACT] = KNOWN_ASK,
                                    [VERDICT_REFUSE] = KNOWN_WITHHELD,
                                    [VERDICT_HOLD] = KNOWN_WITHHELD};

    if (s->recipient != NULL && seq < s->recipient->answer_count)
        s->recipient->answers[seq] = (uint8_t)of[verdict];
}

/* What a partner gave lies in the collection of partners alone. */
static result way_find(struct sifting *s, const struct store_item *item, struct way *way,
                       bool *is_ours, struct diag *diag)
{
    struct collection partners;

    *is_ours = true;
    arena_reset(&s->way);
    if (!s->gate->has_keep || !store_collection_find(s->view, SLICE(PARTNERS_ALIAS), &partners) ||
        partners.number != item->collection)
        return s->view->txn.state;
    return origin_of(s->view, item->seq, &s->way, way, is_ours, diag);
}

/* Nobody does more with it than its giver permits, the own organisation neither. */
static void permitted_lower(const struct way *way, struct gate_answer *out)
{
    for (size_t i = 0; i < way->obligations.count; i++) {
        enum action permitted = ACTION_NONE;
        slice name, value;

        if (!slice_cut(way->obligations.at[i], '=', &name, &value) ||
            !slice_eq(name, SLICE("permitted_actions")))
            continue;
        if (!action_parse(value, &permitted))
            permitted = ACTION_NONE;
        if (permitted < out->permitted)
            out->permitted = permitted;
    }
}

static result ask(struct sifting *s, const struct store_item *item, struct gate_answer *out,
                  struct diag *diag)
{
    struct way way;
    bool is_ours;
    result r;

    TRY(way_find(s, item, &way, &is_ours, diag));
    if (s->recipient != NULL)
        r = outside_decide(s->gate, s->reader, s->recipient, is_ours ? NULL : &way, item->text,
                           s->arena, out, diag);
    else {
        TRY(look_init(&s->look, diag));
        arena_reset(&s->scratch);
        s->look.view = s->view;
        s->look.arena = &s->scratch;
        r = inside_decide(s->gate, s->reader, &s->look, item->text, s->arena, out, diag);
    }
    if (!is_ours)
        permitted_lower(&way, out);
    return r;
}

struct sifted {
    uint64_t *seqs;
    slice *texts, *ids;
    size_t count, text_bytes;
    bool is_changed, has_ids;
};

static result sift_one(struct sifting *s, uint64_t seq, struct sifted *out, struct diag *diag)
{
    struct gate_answer answer = {.verdict = VERDICT_SHARE};
    enum known known = known_of(s, seq);
    struct store_item item;

    if (known == KNOWN_WITHHELD) {
        out->is_changed = true;
        return OK;
    }
    if (!store_item_at(s->view, seq, &item)) {
        TRY(s->view->txn.state);
        return diag_fail(diag, ERR_CORRUPT, "addition %llu cannot be read",
                         (unsigned long long)seq);
    }
    if (known != KNOWN_SHARE) {
        TRY(ask(s, &item, &answer, diag));
        remember(s, seq, answer.verdict);
    }
    if (answer.verdict == VERDICT_REFUSE || answer.verdict == VERDICT_HOLD) {
        out->is_changed = true;
        return OK;
    }
    bool is_redacted = answer.verdict == VERDICT_REDACT;
    out->is_changed |= is_redacted;
    out->has_ids |= is_redacted;
    out->seqs[out->count] = seq;
    out->ids[out->count] = is_redacted ? answer.new_id : SLICE_NONE;
    out->texts[out->count] = is_redacted ? answer.text : item.text;
    out->text_bytes += out->texts[out->count++].len + 1;
    return OK;
}

/* "object,object" of what is left. */
static result text_join(const struct sifted *sifted, struct arena *arena, struct store_page *page,
                        struct diag *diag)
{
    char *text = arena_new(arena, char, sifted->text_bytes + 1);
    size_t at = 0;

    if (text == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for this page");
    for (size_t i = 0; i < sifted->count; i++) {
        if (i > 0)
            text[at++] = ',';
        memcpy(text + at, sifted->texts[i].at, sifted->texts[i].len);
        at += sifted->texts[i].len;
    }
    page->text = slice_of(text, at);
    page->text_stays = false;
    return OK;
}

static bool lacks_text(const struct store_page *page, bool with_text)
{
    return with_text && page->text.at == NULL;
}

static result sift(struct sifting *s, bool with_text, struct store_page *page, const slice **ids,
                   struct diag *diag)
{
    struct sifted sifted = {.seqs = arena_new(s->arena, uint64_t, page->count),
                            .texts = arena_new(s->arena, slice, page->count),
                            .ids = arena_new(s->arena, slice, page->count),
                            .is_changed = lacks_text(page, with_text)};

    if (sifted.seqs == NULL || sifted.texts == NULL || sifted.ids == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory for this page");
    for (size_t i = 0; i < page->count; i++)
        TRY(sift_one(s, page->seqs[i], &sifted, diag));
    if (!sifted.is_changed)
        return OK;
    page->seqs = sifted.seqs;
    page->count = sifted.count;
    if (ids != NULL && sifted.has_ids)
        *ids = sifted.ids;
    return with_text ? text_join(&sifted, s->arena, page, diag) : OK;
}

/* The common case: all of it is known to go as it is. */
static bool all_shared(const struct sifting *s, bool with_text, const struct store_page *page)
{
    if (lacks_text(page, with_text))
        return false;
    if (s->recipient == NULL && page->seqs[page->count - 1] - page->seqs[0] == page->count - 1 &&
        inside_run_shared(s->gate, page->seqs[0], page->count))
        return true;
    for (size_t i = 0; i < page->count; i++)
        if (known_of(s, page->seqs[i]) != KNOWN_SHARE)
            return false;
    return true;
}

static void sifting_free(struct sifting *s)
{
    look_free(&s->look);
    arena_free(&s->scratch);
    arena_free(&s->way);
}

static result page_outside(struct sifting *s, bool with_text, struct store_page *page,
                           const slice **ids, struct diag *diag)
{
    s->gate->look.view = s->view;
    TRY(recipient_find(s->gate, s->view, s->reader, &s->recipient, diag));
    return all_shared(s, with_text, page) ? OK : sift(s, with_text, page, ids, diag);
}

result gate_page(struct gate *gate, struct store_view *view, const struct reader_of *reader,
                 bool with_text, struct arena *arena, struct store_page *page, const slice **ids,
                 struct diag *diag)
{
    CLEANUP(sifting_free) struct sifting s = sifting_of(gate, view, reader, arena);

    if (ids != NULL)
        *ids = NULL;
    if (page->count == 0)
        return OK;
    if (gate_is_inside(reader))
        return all_shared(&s, with_text, page) ? view->txn.state
                                               : sift(&s, with_text, page, ids, diag);
    (void)pthread_mutex_lock(&gate->lock);
    result r = page_outside(&s, with_text, page, ids, diag);
    (void)pthread_mutex_unlock(&gate->lock);
    return r;
}

result gate_decide(struct gate *gate, struct store_view *view, const struct reader_of *reader,
                   const struct store_item *item, struct arena *arena, struct gate_answer *out,
                   struct diag *diag)
{
    CLEANUP(sifting_free) struct sifting s = sifting_of(gate, view, reader, arena);
    result r = OK;

    if (gate_is_inside(reader))
        return ask(&s, item, out, diag);
    (void)pthread_mutex_lock(&gate->lock);
    gate->look.view = view;
    r = recipient_find(gate, view, reader, &s.recipient, diag);
    if (succeeded(r))
        r = ask(&s, item, out, diag);
    (void)pthread_mutex_unlock(&gate->lock);
    return r;
}
