/* The files under data/ that the build puts into the library (cmake/EmbedData.cmake). */
#ifndef CLG_IO_EMBEDDED_DATA_H
#define CLG_IO_EMBEDDED_DATA_H

#include <stddef.h>

extern const unsigned char clg__digits_csv_gz[];
extern const size_t clg__digits_csv_gz_size;

#endif
