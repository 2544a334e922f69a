/* Files of proofs: that one entry stands in a log, and that a log has only grown. */
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

/* Hash lines up to the empty line. */
static bool hashes_take(struct entente_bytes *rest, struct entente_hash *hashes, size_t *count,
                        struct entente_why *why)
{
    struct entente_bytes line;

    for (*count = 0;; (*count)++) {
        if (!line_next(rest, &line))
            return refuse(why, "proof: cut off in its hashes");
        if (line.count == 0)
            return true;
        if (*count == ENTENTE_PROOF_HASHES_MAX)
            return refuse(why, "proof: over %d hashes", ENTENTE_PROOF_HASHES_MAX);
        if (!hash_parse(line, &hashes[*count]))
            return refuse(why, "proof: line %zu of its hashes is none", *count + 1);
    }
}

/* A line "WORD what", cut off the front; false when it is another line. */
static bool member_next(struct entente_bytes *rest, struct entente_bytes word,
                        struct entente_bytes *what)
{
    struct entente_bytes ahead = *rest;

    if (!line_next(&ahead, what) || !bytes_start(*what, word))
        return false;
    *what = bytes_from(*what, word.count);
    *rest = ahead;
    return true;
}

/* ---- *.tlog-proof ---- */

struct proof_lines {
    struct entente_hash hashes[ENTENTE_PROOF_HASHES_MAX];
    size_t hash_count;
    struct entente_bytes note;
};

static bool proof_take(struct entente_bytes file, uint8_t room[ENTENTE_ENTRY_BYTES_MAX],
                       struct entente_proof *out, struct proof_lines *lines,
                       struct entente_why *why)
{
    struct entente_bytes what;

    if (!member_next(&file, BYTES("c2sp.org/tlog-proof@v1"), &what) || what.count != 0)
        return refuse(why, "proof: its first line is not c2sp.org/tlog-proof@v1");
    if (!member_next(&file, BYTES("extra "), &what))
        return refuse(why, "proof: holds no entry (the line \"extra\")");
    if (!base64_parse(what, room, ENTENTE_ENTRY_BYTES_MAX, &out->entry.count))
        return refuse(why, "proof: its entry is not base64 of at most %d bytes",
                      ENTENTE_ENTRY_BYTES_MAX);
    out->entry.at = room;
    if (!member_next(&file, BYTES("index "), &what) || !number_parse(what, &out->index))
        return refuse(why, "proof: no line \"index\" with a number");
    if (!hashes_take(&file, lines->hashes, &lines->hash_count, why))
        return false;
    lines->note = file;
    return true;
}

bool entente_proof_check(struct entente_bytes file, const struct entente_trust *trust,
                         uint8_t room[ENTENTE_ENTRY_BYTES_MAX], struct entente_proof *out,
                         struct entente_why *why)
{
    struct proof_lines lines = {0};
    struct entente_hash leaf;

    memset(out, 0, sizeof(*out));
    if (!proof_take(file, room, out, &lines, why) ||
        !entente_head_check(lines.note, trust, &out->head, why))
        return false;
    entente_leaf_hash(out->entry, &leaf);
    if (out->index >= out->head.size)
        return refuse_entry(why, out->index, "entry %llu: the head has %llu entries",
                            (unsigned long long)out->index, (unsigned long long)out->head.size);
    if (!entente_inclusion_check(out->index, out->head.size, &leaf, lines.hashes, lines.hash_count,
                                 &out->head.root))
        return refuse_entry(why, out->index,
                            "entry %llu: is not what stands there in %.*s: entry and proof do not "
                            "lead to the head's root",
                            (unsigned long long)out->index, SHOWN(out->head.origin));
    return true;
}

/* ---- *.tlog-consistency ---- */

static bool consistency_take(struct entente_bytes file, uint64_t *old_size,
                             struct proof_lines *lines, struct entente_why *why)
{
    struct entente_bytes what;

    if (!member_next(&file, BYTES("old "), &what) || !number_parse(what, old_size))
        return refuse(why, "proof: its first line is not \"old\" and a number");
    if (!hashes_take(&file, lines->hashes, &lines->hash_count, why))
        return false;
    lines->note = file;
    return true;
}

bool entente_consistency_parse(struct entente_bytes file, const struct entente_trust *trust,
                               struct entente_consistency *out, struct entente_why *why)
{
    struct proof_lines lines = {0};

    memset(out, 0, sizeof(*out));
    return consistency_take(file, &out->old_size, &lines, why) &&
           entente_head_check(lines.note, trust, &out->head, why);
}

bool entente_consistency_file_check(struct entente_bytes file, const struct entente_trust *trust,
                                    const struct entente_hash *old_root,
                                    struct entente_consistency *out, struct entente_why *why)
{
    struct proof_lines lines = {0};

    memset(out, 0, sizeof(*out));
    if (!consistency_take(file, &out->old_size, &lines, why) ||
        !entente_head_check(lines.note, trust, &out->head, why))
        return false;
    if (!entente_consistency_check(out->old_size, out->head.size, old_root, &out->head.root,
                                   lines.hashes, lines.hash_count))
        return refuse(why,
                      "%.*s: its first %llu entries are not proven to be those of the older head",
                      SHOWN(out->head.origin), (unsigned long long)out->old_size);
    return true;
}
