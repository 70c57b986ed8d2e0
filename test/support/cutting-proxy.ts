import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What a proxy does when a client sends a text that it watches for. */
export type Cut = 'before the server has it' | 'before the client has the answer'

/** A server between a client and PostgreSQL that can lose a message, and the connection with it. */
export interface CuttingProxy {
  /** The connection string, by way of the proxy. */
  readonly connectionString: string
  /** Cuts the connection over which this text is sent next. */
  cutAt(text: string, cut: Cut): void
  close(): Promise<void>
}

/** Starts a proxy in front of the server that a connection string names. */
export async function startCuttingProxy(connectionString: string): Promise<CuttingProxy> {
  const target = new URL(connectionString)
  const sockets = new Set<Socket>()
  let watched: { readonly text: string; readonly cut: Cut } | undefined

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    let isDeaf = false
    client.on('data', (data) => {
      const isWatched = watched !== undefined && data.includes(watched.text)
      if (isWatched && watched!.cut === 'before the server has it') {
        watched = undefined
        client.destroy()
        return
      }
      if (isWatched) {
        watched = undefined
        isDeaf = true
      }
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      // The server has answered, so it has done what it was asked for.
      if (isDeaf) client.destroy()
      else client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const through = new URL(connectionString)
  through.hostname = '127.0.0.1'
  through.port = String((server.address() as AddressInfo).port)
  return {
    connectionString: through.href,
    cutAt(text, cut) {
      watched = { text, cut }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
