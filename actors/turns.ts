// Turns among the lanes of one thread: while one of them tries a suspect command no other decides anything. So whatever ends the thread then
// was that command, and not one of a lane beside it.

export class Turns {
  private last: Promise<void> | undefined

  /** Waits for the turns before; the caller ends his by calling what he gets. */
  async take(): Promise<() => void> {
    const before = this.last
    let end: () => void = () => undefined
    const mine = new Promise<void>((resolve) => {
      end = resolve
    })
    this.last = mine
    await before
    return () => {
      if (this.last === mine) this.last = undefined
      end()
    }
  }

  get busy(): boolean {
    return this.last !== undefined
  }
}
