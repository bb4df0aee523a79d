import { readFileSync } from 'node:fs'

/** USER_HZ, which Linux fixes for user space. */
const ticksPerSecond = 100

/** CPU time that a process has used since its start, all threads, user and system, in milliseconds. @throws Error if it has ended */
export function cpuMs (pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold blanks; utime and stime are the fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1000 / ticksPerSecond
}

/** Resident memory of a process in MB. */
export function residentMb (pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb ?? 0) / 1024
}
