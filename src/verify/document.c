/* Several documents in one file: where each ends. */
#include <string.h>

#include "verify/inside.h"

#include "base/banned.h"

/* An em dash and a space. */
#define SIGNATURE_START BYTES("\xe2\x80\x94 ")

static enum entente_document_kind kind_of(struct entente_bytes bytes)
{
    if (bytes_start(bytes, BYTES("c2sp.org/tlog-proof@v1\n")))
        return ENTENTE_DOCUMENT_PROOF;
    if (bytes_start(bytes, BYTES("entente-bundle@v1\n")))
        return ENTENTE_DOCUMENT_BUNDLE;
    if (bytes_start(bytes, BYTES("old ")))
        return ENTENTE_DOCUMENT_CONSISTENCY;
    return ENTENTE_DOCUMENT_HEAD;
}

/* Behind the next empty line; at the end when there is none. */
static size_t paragraph_end(struct entente_bytes bytes, size_t from)
{
    const uint8_t *at;

    if (from >= bytes.count)
        return bytes.count;
    at = memmem(bytes.at + from, bytes.count - from, "\n\n", 2);
    return at != NULL ? (size_t)(at - bytes.at) + 2 : bytes.count;
}

bool entente_document_next(struct entente_bytes *rest, struct entente_document *out)
{
    struct entente_bytes behind, line;
    size_t end;

    if (rest->count == 0)
        return false;
    out->kind = kind_of(*rest);
    end = paragraph_end(*rest, 0);
    if (out->kind != ENTENTE_DOCUMENT_HEAD)
        end = paragraph_end(*rest, end);
    behind = bytes_from(*rest, end);
    while (bytes_start(behind, SIGNATURE_START) && line_next(&behind, &line))
        ;
    /* What is behind a document that lacks its signatures belongs to it, so that it fails whole. */
    if (bytes_start(behind, SIGNATURE_START) || behind.count == rest->count - end)
        behind = bytes_from(*rest, rest->count);
    out->bytes = bytes_head(*rest, rest->count - behind.count);
    *rest = behind;
    return true;
}
