/* A stand-in for libnvidia-ml.so.1 that answers from an INI file, for hosts without a GPU.
 *
 * Drives Debian's unmodified nvidia-smi 535 and PyPI's nvidia-ml-py. Built by railbed.effects.lab.packages, once per
 * driver version (-DDRIVER="…"), against nvml.h of PyPI's nvidia-nvml-dev; every function of
 * that header which is not answered here answers "not supported" through the weak fallbacks (-DFALLBACK).
 *
 * State: NVML_STATE, else /var/lib/railbed-sim/gpu.ini, read again whenever it changes. Sections [system] [default]
 * [gpu0] [gpu1] …; a key is looked for in [gpuN], then in [default].
 * Faults: "err.nvmlDeviceGetTemperature = 15" makes that call return 15 (GPU is lost); "err = 15" fails every call of
 * that GPU; [system] init_err = 9 (driver not loaded) or 18 (driver/library version mismatch) fails nvmlInit.
 * NVML_TRACE=1 prints every function that fell through to "not supported".
 */
#ifndef DRIVER
#define DRIVER "570.124.06"
#endif
#ifdef FALLBACK
#include <stdio.h>
#include <stdlib.h>
#define NS(f) __attribute__((weak)) int f(void) { if (getenv("NVML_TRACE")) fprintf(stderr, "nvml-stub: not supported: %s\n", #f); return 3; }
#include "names.inc"
#else
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include "nvml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define MAXKV 4096
static struct { char sec[16], key[72], val[160]; } kv[MAXKV];
static int nkv; static struct timespec seen; static off_t seensz = -1;
static int ids[64];                       /* a device handle is &ids[i] */

static char *trim(char *s) { while (*s == ' ' || *s == '\t') s++;
  char *e = s + strlen(s); while (e > s && strchr(" \t\r\n", e[-1])) *--e = 0; return s; }
static void load(void) {
  const char *p = getenv("NVML_STATE"); if (!p) p = "/var/lib/railbed-sim/gpu.ini";
  struct stat st; if (stat(p, &st)) { nkv = 0; return; }
  if (seensz == st.st_size && !memcmp(&seen, &st.st_mtim, sizeof seen)) return;
  FILE *f = fopen(p, "r"); if (!f) return;
  seen = st.st_mtim; seensz = st.st_size; nkv = 0;
  char line[320], sec[16] = "";
  while (fgets(line, sizeof line, f) && nkv < MAXKV) {
    char *s = trim(line); if (!*s || *s == '#' || *s == ';') continue;
    if (*s == '[') { char *e = strchr(s, ']'); if (e) *e = 0; snprintf(sec, sizeof sec, "%.15s", s + 1); continue; }
    char *q = strchr(s, '='); if (!q) continue; *q = 0;
    snprintf(kv[nkv].sec, 16, "%s", sec); snprintf(kv[nkv].key, 72, "%.71s", trim(s));
    snprintf(kv[nkv].val, 160, "%.159s", trim(q + 1)); nkv++;
  }
  fclose(f);
}
static const char *get1(const char *sec, const char *k) {
  for (int i = nkv - 1; i >= 0; i--) if (!strcmp(kv[i].sec, sec) && !strcmp(kv[i].key, k)) return kv[i].val;
  return 0; }
static const char *sys(const char *k, const char *d) { load(); const char *v = get1("system", k); return v ? v : d; }
static int ix(nvmlDevice_t d) { return (int)((int *)d - ids); }
static int count(void) { return atoi(sys("gpus", "8")); }
static const char *gs(nvmlDevice_t d, const char *k, const char *dv) {
  load(); char s[16]; snprintf(s, 16, "gpu%d", ix(d));
  const char *v = get1(s, k); if (!v) v = get1("default", k); return v ? v : dv; }
static unsigned long long gn(nvmlDevice_t d, const char *k, unsigned long long dv) {
  const char *v = gs(d, k, 0); return v ? strtoull(v, 0, 0) : dv; }
static nvmlReturn_t fault(nvmlDevice_t d, const char *fn) {
  char k[96]; snprintf(k, sizeof k, "err.%s", fn);
  if (ix(d) < 0 || ix(d) >= 64) return NVML_ERROR_INVALID_ARGUMENT;
  const char *v = gs(d, k, 0); if (!v) v = gs(d, "err", 0); return v ? atoi(v) : 0; }
#define CHK(d) do { nvmlReturn_t r_ = fault(d, __func__); if (r_) return r_; } while (0)
static nvmlReturn_t put(char *b, unsigned n, const char *v) {
  if (strlen(v) >= n) return NVML_ERROR_INSUFFICIENT_SIZE; strcpy(b, v); return 0; }
#define OK return NVML_SUCCESS
typedef nvmlDevice_t D; typedef unsigned int U; typedef unsigned long long UL; typedef nvmlReturn_t R;

/* ---- init, system ---- */
R nvmlInit_v2(void) { return atoi(sys("init_err", "0")); }
R nvmlInit(void) { return nvmlInit_v2(); }
R nvmlInitWithFlags(U f) { (void)f; return nvmlInit_v2(); }
R nvmlShutdown(void) { OK; }
const char *nvmlErrorString(R r) { switch ((int)r) { case 0: return "Success"; case 1: return "Uninitialized";
  case 2: return "Invalid Argument"; case 3: return "Not Supported"; case 4: return "Insufficient Permissions";
  case 6: return "Not Found"; case 9: return "Driver Not Loaded"; case 12: return "NVML Shared Library Not Found";
  case 15: return "GPU is lost"; case 16: return "GPU requires restart"; case 18: return "Driver/library version mismatch"; default: return "Unknown Error"; } }
R nvmlSystemGetDriverVersion(char *b, U n) { return put(b, n, sys("driver", DRIVER)); }
R nvmlSystemGetNVMLVersion(char *b, U n) { return put(b, n, sys("nvml", "12." DRIVER)); }
R nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = atoi(sys("cuda", "12020")); OK; }
R nvmlSystemGetCudaDriverVersion(int *v) { return nvmlSystemGetCudaDriverVersion_v2(v); }
R nvmlUnitGetCount(U *n) { *n = 0; OK; }
R nvmlGetExcludedDeviceCount(U *n) { *n = 0; OK; }
/* nvidia-smi 535 asks for one undocumented table (id c4fe3e6c-c98f-6c4e-a327-ee696e12f7c4) and stops with
 * "Mismatch in versions between nvidia-smi and NVML" without it. Word 0 is its size in bytes, the rest are
 * functions. Answering "not supported" from every slot is enough; slots that must differ are set below. */
#define SLOTS 244
static int slotrc(int w) { char k[16]; snprintf(k, 16, "word%d", w); return atoi(sys(k, "3")); }
#define T1(n) static int slot##n(void) { if (getenv("NVML_TRACE")) fprintf(stderr, "nvml-stub: export word %d\n", n - 100); return slotrc(n - 100); }
#define T10(n) T1(n##0) T1(n##1) T1(n##2) T1(n##3) T1(n##4) T1(n##5) T1(n##6) T1(n##7) T1(n##8) T1(n##9)
#define P10(n) slot##n##0, slot##n##1, slot##n##2, slot##n##3, slot##n##4, slot##n##5, slot##n##6, slot##n##7, slot##n##8, slot##n##9,
#define ALL(X) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34)
ALL(T10)
static void *slots[] = { ALL(P10) };       /* slot100 is table word 0, slot101 word 1, ... */
R nvmlInternalGetExportTable(const void **t, const unsigned char *id) {
  if (getenv("NVML_TRACE")) { fprintf(stderr, "nvml-stub: export table asked:"); for (int i = 0; i < 16; i++) fprintf(stderr, " %02x", id[i]); fputc('\n', stderr); }
  static void *tab[SLOTS + 1]; tab[0] = (void *)(8UL * (SLOTS + 1));
  for (int i = 1; i <= SLOTS; i++) tab[i] = slots[i];
  *t = tab; OK; }

/* ---- enumeration, identity ---- */
R nvmlDeviceGetCount_v2(U *n) { *n = count(); OK; }
R nvmlDeviceGetCount(U *n) { return nvmlDeviceGetCount_v2(n); }
R nvmlDeviceGetHandleByIndex_v2(U i, D *d) { if ((int)i >= count()) return NVML_ERROR_INVALID_ARGUMENT; *d = (D)&ids[i];
  return fault(*d, "nvmlDeviceGetHandleByIndex_v2"); }
R nvmlDeviceGetHandleByIndex(U i, D *d) { return nvmlDeviceGetHandleByIndex_v2(i, d); }
static const char *bus(D d) { static char b[64][24]; const char *v = gs(d, "pci", 0); if (v) return v;
  snprintf(b[ix(d)], 24, "00000000:%02X:00.0", 0x10 + 0x10 * ix(d)); return b[ix(d)]; }
static const char *uuid(D d) { static char b[64][48]; const char *v = gs(d, "uuid", 0); if (v) return v;
  snprintf(b[ix(d)], 48, "GPU-00000000-0000-0000-0000-%012d", ix(d)); return b[ix(d)]; }
R nvmlDeviceGetHandleByPciBusId_v2(const char *s, D *d) { U a, b, c, f = 0, w, x, y, z = 0;
  if (sscanf(s, "%x:%x:%x.%x", &a, &b, &c, &f) < 3) { a = 0; if (sscanf(s, "%x:%x.%x", &b, &c, &f) < 2) return NVML_ERROR_NOT_FOUND; }
  for (int i = 0; i < count(); i++) { sscanf(bus((D)&ids[i]), "%x:%x:%x.%x", &w, &x, &y, &z);
    if (a == w && b == x && c == y) { *d = (D)&ids[i]; OK; } } return NVML_ERROR_NOT_FOUND; }
R nvmlDeviceGetHandleByUUID(const char *s, D *d) { for (int i = 0; i < count(); i++) if (!strcasecmp(s, uuid((D)&ids[i]))) { *d = (D)&ids[i]; OK; } return NVML_ERROR_NOT_FOUND; }
R nvmlDeviceGetHandleBySerial(const char *s, D *d) { for (int i = 0; i < count(); i++) if (!strcmp(s, gs((D)&ids[i], "serial", ""))) { *d = (D)&ids[i]; OK; } return NVML_ERROR_NOT_FOUND; }
R nvmlDeviceGetIndex(D d, U *i) { *i = ix(d); OK; }
R nvmlDeviceGetMinorNumber(D d, U *i) { CHK(d); *i = gn(d, "minor", ix(d)); OK; }
R nvmlDeviceGetModuleId(D d, U *i) { CHK(d); *i = gn(d, "module_id", ix(d) + 1); OK; }
R nvmlDeviceGetBoardId(D d, U *i) { CHK(d); *i = gn(d, "board_id", 0x1000 * (ix(d) + 1)); OK; }
R nvmlDeviceGetMultiGpuBoard(D d, U *i) { CHK(d); *i = 0; OK; }
#define STR(fn, key, def) R fn(D d, char *b, U n) { CHK(d); const char *v = gs(d, key, def); return v ? put(b, n, v) : NVML_ERROR_NOT_SUPPORTED; }
STR(nvmlDeviceGetName, "name", "NVIDIA H100 80GB HBM3")
R nvmlDeviceGetUUID(D d, char *b, U n) { CHK(d); return put(b, n, uuid(d)); }
STR(nvmlDeviceGetSerial, "serial", "1650000000000")
STR(nvmlDeviceGetVbiosVersion, "vbios", "96.00.89.00.01")
STR(nvmlDeviceGetBoardPartNumber, "part", "692-2G520-0200-000")
STR(nvmlDeviceGetInforomImageVersion, "inforom_image", "G520.0200.00.05")
R nvmlDeviceGetGspFirmwareVersion(D d, char *b) { CHK(d); strcpy(b, gs(d, "gsp", DRIVER)); OK; }
R nvmlDeviceGetInforomVersion(D d, nvmlInforomObject_t o, char *b, U n) { CHK(d); (void)o; return put(b, n, o == 0 ? "2.1" : o == 1 ? "7.16" : "N/A"); }
R nvmlDeviceValidateInforom(D d) { CHK(d); return gn(d, "inforom_corrupt", 0) ? NVML_ERROR_CORRUPTED_INFOROM : 0; }
R nvmlDeviceGetPciInfo_v3(D d, nvmlPciInfo_t *p) { CHK(d); memset(p, 0, sizeof *p); U f;
  snprintf(p->busId, sizeof p->busId, "%s", bus(d)); sscanf(bus(d), "%x:%x:%x.%x", &p->domain, &p->bus, &p->device, &f);
  snprintf(p->busIdLegacy, sizeof p->busIdLegacy, "%04X:%02X:%02X.0", p->domain & 0xffff, p->bus, p->device);
  p->pciDeviceId = gn(d, "pci_device_id", 0x233010DE); p->pciSubSystemId = gn(d, "pci_subsystem_id", 0x16C110DE); OK; }
R nvmlDeviceGetPciInfo_v2(D d, nvmlPciInfo_t *p) { return nvmlDeviceGetPciInfo_v3(d, p); }
R nvmlDeviceGetPciInfo(D d, nvmlPciInfo_t *p) { return nvmlDeviceGetPciInfo_v3(d, p); }
R nvmlDeviceGetBrand(D d, nvmlBrandType_t *b) { CHK(d); *b = NVML_BRAND_NVIDIA; OK; }
R nvmlDeviceGetArchitecture(D d, nvmlDeviceArchitecture_t *a) { CHK(d); *a = gn(d, "arch", 9); OK; }
R nvmlDeviceGetCudaComputeCapability(D d, int *a, int *b) { CHK(d); U x = gn(d, "cc", 90); *a = x / 10; *b = x % 10; OK; }

/* ---- memory, clocks, power, thermal ---- */
static UL memt(D d) { return gn(d, "mem_total_mib", 81559) << 20; }
static UL memr(D d) { return gn(d, "mem_reserved_mib", 551) << 20; }
static UL memu(D d) { return gn(d, "mem_used_mib", 0) << 20; }
R nvmlDeviceGetMemoryInfo(D d, nvmlMemory_t *m) { CHK(d); m->total = memt(d); m->used = memu(d) + memr(d); m->free = m->total - m->used; OK; }
R nvmlDeviceGetMemoryInfo_v2(D d, nvmlMemory_v2_t *m) { CHK(d); m->total = memt(d); m->reserved = memr(d); m->used = memu(d); m->free = m->total - m->used - m->reserved; OK; }
R nvmlDeviceGetBAR1MemoryInfo(D d, nvmlBAR1Memory_t *m) { CHK(d); m->bar1Total = 131072ULL << 20; m->bar1Used = 1 << 20; m->bar1Free = m->bar1Total - m->bar1Used; OK; }
R nvmlDeviceGetUtilizationRates(D d, nvmlUtilization_t *u) { CHK(d); u->gpu = gn(d, "util_gpu", 0); u->memory = gn(d, "util_mem", 0); OK; }
R nvmlDeviceGetTemperature(D d, nvmlTemperatureSensors_t s, U *t) { CHK(d); (void)s; *t = gn(d, "temp", 32); OK; }
R nvmlDeviceGetTemperatureV(D d, nvmlTemperature_t *t) { CHK(d); t->temperature = gn(d, "temp", 32); OK; }
R nvmlDeviceGetTemperatureThreshold(D d, nvmlTemperatureThresholds_t k, U *t) { CHK(d); *t = k == 0 ? 92 : k == 1 ? 89 : k == 2 ? 95 : k == 3 ? 87 : 0; return *t ? 0 : NVML_ERROR_NOT_SUPPORTED; }
#define NUM(fn, key, def) R fn(D d, U *v) { CHK(d); *v = gn(d, key, def); OK; }
NUM(nvmlDeviceGetPowerUsage, "power_mw", 69000)
NUM(nvmlDeviceGetPowerManagementLimit, "power_limit_mw", 700000)
NUM(nvmlDeviceGetEnforcedPowerLimit, "power_limit_mw", 700000)
NUM(nvmlDeviceGetPowerManagementDefaultLimit, "power_default_mw", 700000)
R nvmlDeviceGetPowerManagementLimitConstraints(D d, U *a, U *b) { CHK(d); *a = 200000; *b = 700000; OK; }
R nvmlDeviceGetPowerManagementMode(D d, nvmlEnableState_t *s) { CHK(d); *s = 1; OK; }
R nvmlDeviceGetTotalEnergyConsumption(D d, UL *e) { CHK(d); *e = gn(d, "energy_mj", 1000); OK; }
R nvmlDeviceGetPerformanceState(D d, nvmlPstates_t *p) { CHK(d); *p = gn(d, "pstate", 0); OK; }
R nvmlDeviceGetPowerState(D d, nvmlPstates_t *p) { return nvmlDeviceGetPerformanceState(d, p); }
R nvmlDeviceGetPersistenceMode(D d, nvmlEnableState_t *s) { CHK(d); *s = gn(d, "persistence", 1); OK; }
R nvmlDeviceGetComputeMode(D d, nvmlComputeMode_t *m) { CHK(d); *m = gn(d, "compute_mode", 0); OK; }
R nvmlDeviceGetDisplayMode(D d, nvmlEnableState_t *s) { CHK(d); *s = 1; OK; }
R nvmlDeviceGetDisplayActive(D d, nvmlEnableState_t *s) { CHK(d); *s = 0; OK; }
R nvmlDeviceGetVirtualizationMode(D d, nvmlGpuVirtualizationMode_t *m) { CHK(d); *m = 0; OK; }
R nvmlDeviceGetMigMode(D d, U *a, U *b) { CHK(d); *a = *b = gn(d, "mig", 0); OK; }
R nvmlDeviceGetMaxMigDeviceCount(D d, U *n) { CHK(d); *n = 0; OK; }
R nvmlDeviceIsMigDeviceHandle(D d, U *n) { (void)d; *n = 0; OK; }
R nvmlDeviceGetGspFirmwareMode(D d, U *a, U *b) { CHK(d); *a = *b = 1; OK; }
static U clk(D d, nvmlClockType_t t, int max) { static const char *n[] = {"gr", "sm", "mem", "video"}; static const U df[] = {345, 345, 2619, 765}, mx[] = {1980, 1980, 2619, 1545};
  char k[32]; if (t > 3) return 0; snprintf(k, 32, "clock_%s%s", max ? "max_" : "", n[t]); return gn(d, k, max ? mx[t] : df[t]); }
R nvmlDeviceGetClockInfo(D d, nvmlClockType_t t, U *c) { CHK(d); *c = clk(d, t, 0); OK; }
R nvmlDeviceGetMaxClockInfo(D d, nvmlClockType_t t, U *c) { CHK(d); *c = clk(d, t, 1); OK; }
R nvmlDeviceGetApplicationsClock(D d, nvmlClockType_t t, U *c) { CHK(d); *c = clk(d, t, 1); OK; }
R nvmlDeviceGetDefaultApplicationsClock(D d, nvmlClockType_t t, U *c) { CHK(d); *c = clk(d, t, 1); OK; }
R nvmlDeviceGetClock(D d, nvmlClockType_t t, nvmlClockId_t i, U *c) { CHK(d); *c = clk(d, t, i != 0); OK; }
R nvmlDeviceGetCurrentClocksThrottleReasons(D d, UL *r) { CHK(d); *r = gn(d, "throttle", 1); OK; }
R nvmlDeviceGetCurrentClocksEventReasons(D d, UL *r) { CHK(d); *r = gn(d, "throttle", 1); OK; }
R nvmlDeviceGetSupportedClocksThrottleReasons(D d, UL *r) { CHK(d); *r = 0x1ff; OK; }
R nvmlDeviceGetSupportedClocksEventReasons(D d, UL *r) { CHK(d); *r = 0x1ff; OK; }

/* ---- PCIe, topology, NVLink, fabric ---- */
NUM(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_gen", 5)
NUM(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_gen_max", 5)
NUM(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie_gen_max", 5)
NUM(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width", 16)
NUM(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max", 16)
NUM(nvmlDeviceGetPcieReplayCounter, "pcie_replay", 0)
R nvmlDeviceGetPcieThroughput(D d, nvmlPcieUtilCounter_t c, U *v) { CHK(d); (void)c; *v = 0; OK; }
R nvmlDeviceGetTopologyCommonAncestor(D a, D b, nvmlGpuTopologyLevel_t *l) { CHK(a); *l = ix(a) / 4 == ix(b) / 4 ? NVML_TOPOLOGY_NODE : NVML_TOPOLOGY_SYSTEM; OK; }
R nvmlDeviceGetCpuAffinity(D d, U n, unsigned long *s) { CHK(d); memset(s, 0, n * sizeof *s); s[0] = gn(d, "cpumask", 3); OK; }
R nvmlDeviceGetMemoryAffinity(D d, U n, unsigned long *s, nvmlAffinityScope_t sc) { CHK(d); (void)sc; memset(s, 0, n * sizeof *s); s[0] = 1UL << gn(d, "numa", ix(d) / 4); OK; }
static int link_up(D d, U l) { char k[32]; snprintf(k, 32, "nvlink%u", l); return strcmp(gs(d, k, "up"), "down") != 0; }
static U links(D d) { return gn(d, "nvlinks", 18); }
R nvmlDeviceGetNvLinkState(D d, U l, nvmlEnableState_t *s) { CHK(d); if (l >= links(d)) return NVML_ERROR_INVALID_ARGUMENT; *s = link_up(d, l); OK; }
R nvmlDeviceGetNvLinkVersion(D d, U l, U *v) { CHK(d); if (l >= links(d)) return NVML_ERROR_INVALID_ARGUMENT; *v = gn(d, "nvlink_version", 4); OK; }
R nvmlDeviceGetNvLinkCapability(D d, U l, nvmlNvLinkCapability_t c, U *v) { CHK(d); if (l >= links(d)) return NVML_ERROR_INVALID_ARGUMENT; (void)c; *v = 1; OK; }
R nvmlDeviceGetNvLinkErrorCounter(D d, U l, nvmlNvLinkErrorCounter_t c, UL *v) { CHK(d); if (l >= links(d)) return NVML_ERROR_INVALID_ARGUMENT;
  char k[40]; snprintf(k, 40, "nvlink%u_%s", l, c == 0 ? "replay" : c == 1 ? "recovery" : c == 2 ? "crc_flit" : "crc_data"); *v = gn(d, k, 0); OK; }
R nvmlDeviceGetNvLinkRemotePciInfo_v2(D d, U l, nvmlPciInfo_t *p) { CHK(d); if (l >= links(d) || !link_up(d, l)) return NVML_ERROR_NOT_SUPPORTED;
  memset(p, 0, sizeof *p); p->bus = 0x05 + l % 4; p->pciDeviceId = 0x22A310DE; snprintf(p->busId, sizeof p->busId, "00000000:%02X:00.0", p->bus); snprintf(p->busIdLegacy, sizeof p->busIdLegacy, "0000:%02X:00.0", p->bus); OK; }
R nvmlDeviceGetNvLinkRemoteDeviceType(D d, U l, nvmlIntNvLinkDeviceType_t *t) { CHK(d); if (l >= links(d)) return NVML_ERROR_INVALID_ARGUMENT; *t = NVML_NVLINK_DEVICE_TYPE_SWITCH; OK; }
R nvmlDeviceGetP2PStatus(D a, D b, nvmlGpuP2PCapsIndex_t i, nvmlGpuP2PStatus_t *s) { CHK(a); (void)b; (void)i; *s = NVML_P2P_STATUS_OK; OK; }
static int fabst(D d) { const char *s = gs(d, "fabric", "completed"); return !strcmp(s, "none") ? 0 : !strcmp(s, "not_started") ? 1 : !strcmp(s, "in_progress") ? 2 : 3; }
R nvmlDeviceGetGpuFabricInfo(D d, nvmlGpuFabricInfo_t *f) { CHK(d); memset(f, 0, sizeof *f); f->state = fabst(d); f->status = gn(d, "fabric_status", 0); f->cliqueId = gn(d, "clique", 0); OK; }
R nvmlDeviceGetGpuFabricInfoV(D d, nvmlGpuFabricInfoV_t *f) { CHK(d); f->state = fabst(d); f->status = gn(d, "fabric_status", 0); f->cliqueId = gn(d, "clique", 0); f->healthMask = gn(d, "fabric_health", 0xaa); memset(f->clusterUuid, gn(d, "cluster", 1), 16); OK; }

/* ---- ECC, remapping, health ---- */
R nvmlDeviceGetEccMode(D d, nvmlEnableState_t *a, nvmlEnableState_t *b) { CHK(d); *a = *b = gn(d, "ecc", 1); OK; }
static UL ecc(D d, int unc, int agg, const char *loc) { char k[64];   /* ecc_{corr,unc}_{vol,agg}_{dram,sram,...} */
  snprintf(k, 64, "ecc_%s_%s_%s", unc ? "unc" : "corr", agg ? "agg" : "vol", loc); return gn(d, k, 0); }
R nvmlDeviceGetTotalEccErrors(D d, nvmlMemoryErrorType_t e, nvmlEccCounterType_t c, UL *v) { CHK(d); *v = ecc(d, e, c, "dram") + ecc(d, e, c, "sram"); OK; }
R nvmlDeviceGetMemoryErrorCounter(D d, nvmlMemoryErrorType_t e, nvmlEccCounterType_t c, nvmlMemoryLocation_t l, UL *v) { CHK(d);
  if (l == NVML_MEMORY_LOCATION_DRAM) *v = ecc(d, e, c, "dram"); else if (l == NVML_MEMORY_LOCATION_SRAM) *v = ecc(d, e, c, "sram"); else return NVML_ERROR_NOT_SUPPORTED; OK; }
R nvmlDeviceGetSramEccErrorStatus(D d, nvmlEccSramErrorStatus_t *s) { CHK(d); U v = s->version; memset(s, 0, sizeof *s); s->version = v;
  s->volatileCor = ecc(d, 0, 0, "sram"); s->aggregateCor = ecc(d, 0, 1, "sram"); s->volatileUncSecDed = ecc(d, 1, 0, "sram"); s->aggregateUncSecDed = ecc(d, 1, 1, "sram"); s->bThresholdExceeded = gn(d, "sram_threshold", 0); OK; }
R nvmlDeviceGetRemappedRows(D d, U *c, U *u, U *p, U *f) { CHK(d); *c = gn(d, "remap_corr", 0); *u = gn(d, "remap_unc", 0); *p = gn(d, "remap_pending", 0); *f = gn(d, "remap_failed", 0); OK; }
R nvmlDeviceGetRowRemapperHistogram(D d, nvmlRowRemapperHistogramValues_t *h) { CHK(d); memset(h, 0, sizeof *h); h->max = gn(d, "remap_banks_max", 2560); h->high = gn(d, "remap_banks_high", 0); h->partial = gn(d, "remap_banks_partial", 0); h->low = gn(d, "remap_banks_low", 0); h->none = gn(d, "remap_banks_none", 0); OK; }

/* ---- processes: none ---- */
R nvmlDeviceGetComputeRunningProcesses_v3(D d, U *n, nvmlProcessInfo_t *p) { CHK(d); (void)p; *n = 0; OK; }
R nvmlDeviceGetGraphicsRunningProcesses_v3(D d, U *n, nvmlProcessInfo_t *p) { CHK(d); (void)p; *n = 0; OK; }
R nvmlDeviceGetMPSComputeRunningProcesses_v3(D d, U *n, nvmlProcessInfo_t *p) { CHK(d); (void)p; *n = 0; OK; }

/* ---- events: nvidia-smi makes a set even for its default table, and stops if that fails ---- */
R nvmlEventSetCreate(nvmlEventSet_t *s) { static long dummy; *(void **)s = &dummy; OK; }
R nvmlEventSetFree(nvmlEventSet_t s) { (void)s; OK; }
R nvmlDeviceGetSupportedEventTypes(D d, UL *t) { CHK(d); *t = 0; OK; }
R nvmlDeviceRegisterEvents(D d, UL t, nvmlEventSet_t s) { CHK(d); (void)t; (void)s; OK; }
R nvmlEventSetWait_v2(nvmlEventSet_t s, nvmlEventData_t *e, U ms) { (void)s; (void)e; struct timespec t = {ms / 1000, ms % 1000 * 1000000L}; nanosleep(&t, 0); return NVML_ERROR_TIMEOUT; }

/* ---- field values ---- */
R nvmlDeviceGetFieldValues(D d, int n, nvmlFieldValue_t *v) { CHK(d); struct timespec ts; clock_gettime(CLOCK_REALTIME, &ts);
  for (int i = 0; i < n; i++) { nvmlFieldValue_t *f = v + i; f->timestamp = ts.tv_sec * 1000000LL; f->latencyUsec = 1; f->valueType = NVML_VALUE_TYPE_UNSIGNED_INT; f->nvmlReturn = 0; memset(&f->value, 0, sizeof f->value);
    U id = f->fieldId, l = f->scopeId; char k[40]; U up = 0; for (U j = 0; j < links(d); j++) up += link_up(d, j);
    switch (id) {
    case NVML_FI_DEV_ECC_CURRENT: case 2: f->value.uiVal = gn(d, "ecc", 1); break;
    case NVML_FI_DEV_MEMORY_TEMP: f->value.uiVal = gn(d, "temp_mem", 40); break;
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION: f->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG; f->value.ullVal = gn(d, "energy_mj", 1000); break;
    case NVML_FI_DEV_NVLINK_LINK_COUNT: f->value.uiVal = links(d); break;
    case NVML_FI_DEV_NVLINK_SPEED_MBPS_COMMON: f->value.uiVal = up ? gn(d, "nvlink_mbps", 26562) : 0; break;
    case NVML_FI_DEV_NVLINK_GET_SPEED: f->value.uiVal = l < links(d) && link_up(d, l) ? gn(d, "nvlink_mbps", 26562) : 0; break;
    case NVML_FI_DEV_NVLINK_GET_STATE: f->value.uiVal = l < links(d) && link_up(d, l); break;
    case NVML_FI_DEV_NVLINK_GET_VERSION: f->value.uiVal = gn(d, "nvlink_version", 4); break;
    case NVML_FI_DEV_REMAPPED_COR: f->value.uiVal = gn(d, "remap_corr", 0); break;
    case NVML_FI_DEV_REMAPPED_UNC: f->value.uiVal = gn(d, "remap_unc", 0); break;
    case NVML_FI_DEV_REMAPPED_PENDING: f->value.uiVal = gn(d, "remap_pending", 0); break;
    case NVML_FI_DEV_REMAPPED_FAILURE: f->value.uiVal = gn(d, "remap_failed", 0); break;
    case NVML_FI_DEV_POWER_AVERAGE: case NVML_FI_DEV_POWER_INSTANT: f->value.uiVal = gn(d, "power_mw", 69000); break;
    case 187: f->value.uiVal = 200000; break;                        /* power limits: min, max, default, current, enforced, requested */
    case 188: case 189: f->value.uiVal = gn(d, "power_default_mw", 700000); break;
    case 190: case 191: case 192: f->value.uiVal = gn(d, "power_limit_mw", 700000); break;
    case 161: case 162: case 163: snprintf(k, 40, "nvlink%u_%s", l, id == 161 ? "replay" : id == 162 ? "recovery" : "crc_flit");   /* nvidia-smi nvlink -e */
      if (l >= links(d) || !link_up(d, l)) f->nvmlReturn = NVML_ERROR_NOT_SUPPORTED; f->value.uiVal = gn(d, k, 0); break;
    default: if ((id >= 84 && id <= 89)) { U j = id - 84; f->value.uiVal = j < links(d) && link_up(d, j) ? gn(d, "nvlink_mbps", 26562) : 0; break; }
      snprintf(k, 40, "field_%u", id); { const char *s = gs(d, k, 0); if (s) { f->value.uiVal = strtoul(s, 0, 0); break; } }
      f->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
      if (getenv("NVML_TRACE")) fprintf(stderr, "nvml-stub: field %u scope %u not supported\n", id, l); } }
  OK; }
#endif
