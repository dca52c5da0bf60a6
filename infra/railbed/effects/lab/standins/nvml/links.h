/* NVLinks of a GPU, for the calls that ask for them one by one and those that ask by field. SIMULATED. */
#ifndef RAILBED_LINKS_H
#define RAILBED_LINKS_H

#include "mock.h"

#define KEY_OF_LINK_SIZE 40

unsigned int link_count(nvmlDevice_t device);
int link_is_up(nvmlDevice_t device, unsigned int link);
/* MB/s as NVML reports it; 0 for a link that is down. */
unsigned int link_mbytes_per_s(nvmlDevice_t device, unsigned int link);
/* Errors of one kind: replay, recovery, crc_flit, crc_data. One with a rate rises for as long as the host runs: no load
 * is known here, as nothing crosses these links. */
number_t link_errors(nvmlDevice_t device, unsigned int link, const char *kind);

#endif
