#include "taxii/server.h"

#include "base/banned.h"

/* Quality values in thousandths (RFC 9110, 12.4.2). */
#define QUALITY_WHOLE 1000u

/* One element of an Accept field, or a whole Content-Type. */
struct media {
    slice type, subtype;
    slice version; /* without quotes */
    bool has_version;
    bool is_broken;
    unsigned quality;
};

/* Split off what stands before the next separator that is not inside a quoted string. */
static slice take_until(slice *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < rest->len; i++) {
        char byte = rest->at[i];

        if (quoted && byte == '\\')
            i++;
        else if (byte == '"')
            quoted = !quoted;
        else if (byte == separator && !quoted)
            break;
    }
    slice head = slice_head(*rest, i);
    *rest = slice_from(*rest, head.len + 1);
    return slice_trim(head);
}

static slice unquote(slice value)
{
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
        return slice_of(value.at + 1, value.len - 2);
    return value;
}

/* "0", "1", "0.5", "1.000": at most three digits behind the point. */
static bool quality_parse(slice text, unsigned *out)
{
    slice whole, fraction;
    uint64_t units, thousandths = 0;

    (void)slice_cut(text, '.', &whole, &fraction);
    if (whole.len != 1 || !parse_u64(whole, &units) || units > 1 || fraction.len > 3)
        return false;
    if (fraction.len > 0 && !parse_u64(fraction, &thousandths))
        return false;
    for (size_t i = fraction.len; i < 3; i++)
        thousandths *= 10;
    if (units * QUALITY_WHOLE + thousandths > QUALITY_WHOLE)
        return false;
    *out = (unsigned)(units * QUALITY_WHOLE + thousandths);
    return true;
}

static void parameter_read(slice parameter, struct media *out)
{
    slice name, value;

    if (!slice_cut(parameter, '=', &name, &value))
        return; /* an empty one (";;") or a bare word: harmless */
    name = slice_trim(name);
    value = unquote(slice_trim(value));
    if (slice_eq_nocase(name, SLICE("version"))) {
        out->is_broken = out->is_broken || out->has_version;
        out->has_version = true;
        out->version = value;
    } else if (slice_eq_nocase(name, SLICE("q"))) {
        out->is_broken = out->is_broken || !quality_parse(value, &out->quality);
    }
}

static struct media media_parse(slice text)
{
    struct media media = {.quality = QUALITY_WHOLE};
    slice full = take_until(&text, ';');

    if (!slice_cut(full, '/', &media.type, &media.subtype))
        media.is_broken = true;
    media.type = slice_trim(media.type);
    media.subtype = slice_trim(media.subtype);
    while (text.len > 0)
        parameter_read(take_until(&text, ';'), &media);
    return media;
}

static bool is_ours(const struct media *media)
{
    return slice_eq_nocase(media->type, SLICE("application")) &&
           slice_eq_nocase(media->subtype, SLICE("taxii+json"));
}

/* How narrowly a range names what we send: 0 not at all, then any, our type, our media type, with
 * our version.  The narrowest range that fits decides (RFC 9110, 12.5.1). */
static unsigned fit(const struct media *media)
{
    if (media->is_broken)
        return 0;
    if (is_ours(media)) {
        if (!media->has_version)
            return 3;
        return slice_eq(media->version, SLICE("2.1")) ? 4 : 0;
    }
    if (!slice_eq(media->subtype, SLICE("*")))
        return 0;
    if (slice_eq(media->type, SLICE("*")))
        return 1;
    return slice_eq_nocase(media->type, SLICE("application")) ? 2 : 0;
}

bool media_accepted(const struct http_request *request)
{
    bool has_any = false;
    unsigned best_fit = 0, best_quality = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        slice rest = request->headers[i].value;

        if (!slice_eq_nocase(request->headers[i].name, SLICE("accept")))
            continue;
        while (rest.len > 0) {
            slice element = take_until(&rest, ',');

            if (element.len == 0)
                continue;
            has_any = true;
            struct media media = media_parse(element);
            unsigned this_fit = fit(&media);

            if (this_fit > best_fit || (this_fit == best_fit && media.quality > best_quality)) {
                best_fit = this_fit;
                best_quality = media.quality;
            }
        }
    }
    return !has_any || (best_fit > 0 && best_quality > 0);
}

bool media_is_taxii(slice content_type)
{
    struct media media = media_parse(content_type);

    return !media.is_broken && is_ours(&media) &&
           (!media.has_version || slice_eq(media.version, SLICE("2.1")));
}
