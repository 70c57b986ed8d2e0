import { startPostgres } from './test/support/postgres/server.ts'
import { spawn } from 'node:child_process'
const { connectionString, stop } = await startPostgres()
const p = spawn(process.execPath, [process.argv[2]!, ...process.argv.slice(3), connectionString], { stdio: 'inherit' })
p.on('exit', () => void stop())
