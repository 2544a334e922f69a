/* What rules of Suricata and Snort share: texts that cannot end an option, and numbers. */
#pragma once

#include "formats/out.h"

/* Inside content:"...": all but plain letters, digits and a few signs as |HH|. */
void rule_content(struct buf *out, slice text);
/* Inside msg:"...": for people, so what is not plain is "_"; cut at RULE_WORDS_MAX. */
#define RULE_WORDS_MAX 120
void rule_words(struct buf *out, slice text);

/* Rule numbers follow from what a rule is for, so that the same value keeps its number whatever
 * else comes and goes; where two fall on one, the later in order takes the next. */
struct rule_sids {
    uint32_t *slots; /* owned; 0: free */
    size_t capacity, mask;
};
#define RULE_SID_FIRST 1073742848u /* 2^30 and room for rules of files */
#define RULE_SID_COUNT (2147483647u - RULE_SID_FIRST)
MUST_USE bool rule_sids_init(struct rule_sids *sids, size_t count);
void rule_sids_free(struct rule_sids *sids); /* fits CLEANUP */
uint32_t rule_sid(struct rule_sids *sids, uint64_t tag, slice text);
