// A worker thread that carries out orders, see ../orders.ts.
import { parentPort } from 'node:worker_threads'
import { orders } from '../orders.ts'

const obey = orders()
parentPort!.on('message', (order: string) => {
  obey(order).then(
    (answer) => parentPort!.postMessage(answer),
    () => {},
  )
})
parentPort!.postMessage('ready')
