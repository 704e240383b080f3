/*
** Hostile input: CSV. The first byte chooses the options.
*/
#include <string.h>
#include "spec/fuzz/fuzz.h"
#include "io/csv.h"

#define MOST 64                /* columns that are read */

static nx_csv_options options_from (uint8_t choice) {
  static const char separators[] = {0, ',', '\t', ' '};
  nx_csv_options o;
  memset(&o, 0, sizeof(o));
  o.separator = separators[choice & 3];
  o.quote = '"';
  o.point = choice & 4 ? ',' : '.';
  o.header = (choice >> 3 & 3) - 1;
  if (o.header > 1) o.header = 1;
  o.most = -1;
  o.ragged = (choice >> 5 & 3) % 3;
  o.comment = choice & 128 ? '#' : 0;
  o.missing = "NA nan ?";
  return o;
}

/* every column as what it is, and with another way for what is missing */
static void read_all (nx_ctx *C, nx_csv *v, int missing) {
  nx_csv_target targets[MOST];
  nx_vocabulary words[MOST];
  size_t n = v->ncolumns < MOST ? v->ncolumns : MOST;
  memset(targets, 0, sizeof(targets));
  for (size_t i = 0; i < n; i++) {
    nx_vocabulary_open(C, &words[i]);
    targets[i].column = i;
    targets[i].kind = v->columns[i].kind;
    targets[i].missing = missing;
    targets[i].words = &words[i];
  }
  nx_csv_read(v, targets, n);
  for (size_t i = 0; i < n; i++) nx_vocabulary_close(&words[i]);
}

void fuzz_one (nx_ctx *C, const uint8_t *bytes, size_t size) {
  nx_csv_options o;
  nx_source s;
  nx_csv v;
  if (size == 0) return;
  o = options_from(bytes[0]);
  if (nx_source_bytes(C, &s, "fuzz", bytes + 1, size - 1)) {
    nx_source_close(&s);
    return;
  }
  if (nx_csv_open(&v, &s, &o) == 0)
    read_all(C, &v, 1 + bytes[0] % 3);
  nx_csv_close(&v);
}
