import { createServer, connect, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP proxy before PostgreSQL, which can cut a connection where no client or server would. */
export interface CuttingProxy {
  /** The same database through the proxy. */
  readonly connectionString: string
  /**
   * Cuts the next connection that sends COMMIT: before the server has got it, or when its answer comes back.
   *
   * @returns a promise that resolves once that has happened
   */
  cutAtCommit(when: 'before' | 'after'): Promise<void>
}

export async function cuttingProxy(connectionString: string): Promise<CuttingProxy> {
  const target = new URL(connectionString)
  let cut: { readonly when: 'before' | 'after'; readonly done: () => void } | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let isDoomed = false
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      cut?.done()
      cut = undefined
    }
    client.on('data', (data) => {
      const isCommit = cut !== undefined && data.includes('commit')
      if (isCommit && cut!.when === 'before') return end()
      isDoomed ||= isCommit
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (isDoomed) end()
      else client.write(data)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => void server.close(() => resolve()))
  })
  const through = new URL(connectionString)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as AddressInfo).port)
  return {
    connectionString: through.href,
    cutAtCommit: (when) => new Promise((done) => (cut = { when, done })),
  }
}
