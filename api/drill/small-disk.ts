// A disk that can be made full: a file system in memory of its own, which is as large as it is told to be. Needs Linux and the right to mount.
import { execFile, spawnSync } from 'node:child_process'
import { chown, mkdir, rmdir, statfs } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const roomy = '1g'
const fillTriesMost = 20

export class SmallDisk {
  readonly dir: string
  private readonly endWithUs: () => void

  private constructor(dir: string) {
    this.dir = dir
    this.endWithUs = () => spawnSync('umount', ['--lazy', dir])
    process.once('exit', this.endWithUs)
  }

  /** With room, for the account of these ids. Rejects where nothing may be mounted. */
  static async mount(dir: string, uid: number, gid: number): Promise<SmallDisk> {
    await mkdir(dir)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${roomy},mode=0700,uid=${uid},gid=${gid}`, 'tmpfs', dir])
    } catch (error) {
      await rmdir(dir)
      throw error
    }
    await chown(dir, uid, gid)
    return new SmallDisk(dir)
  }

  /** Not a block more than what is in use. */
  async fill(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { blocks, bfree, bsize } = await statfs(this.dir)
      try {
        await run('mount', ['-o', `remount,size=${Math.max(1, blocks - bfree) * bsize}`, this.dir])
        return
      } catch (error) {
        // Somebody wrote between the two: it cannot be made smaller than what is in use.
        if (tries === fillTriesMost) throw error
      }
    }
  }

  async free(): Promise<void> {
    await run('mount', ['-o', `remount,size=${roomy}`, this.dir])
  }

  /** Also while something of it is open. */
  async unmount(): Promise<void> {
    await run('umount', ['--lazy', this.dir])
    process.removeListener('exit', this.endWithUs)
    await rmdir(this.dir)
  }
}

/** Whether there can be one here. */
export async function canMount(dir: string): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    await (await SmallDisk.mount(dir, 0, 0)).unmount()
    return true
  } catch {
    return false
  }
}
