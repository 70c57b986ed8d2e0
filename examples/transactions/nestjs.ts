/**
 * NestJS: one transaction for each request, by an interceptor. Controllers and services use plain `db`.
 *
 * Nest sends the answer after the interceptor's Observable has ended, which is after the COMMIT. Guards and pipes: guards
 * run before the interceptor, and outside of its transaction.
 *
 * Decorators are applied as the functions they are, so that Node.js runs this file as it is; the comments show how it
 * is written otherwise. Run it with `node examples/transactions/nestjs.ts`.
 */
import 'reflect-metadata'
import { transaction } from '@keelson/transactions/kysely'
import {
  Body,
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  type INestApplication,
  Inject,
  Module,
  type NestInterceptor,
  Post,
} from '@nestjs/common'
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core'
import type { Kysely } from 'kysely'
import { from, lastValueFrom, type Observable } from 'rxjs'
import { add, type Database, openAccount, openDatabase, transfer } from './accounts.ts'

const DB = Symbol('db')

export class TransactionInterceptor implements NestInterceptor {
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>) {
    this.#db = db
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<{ statusCode: number }>()
    return from(
      // The handler belongs to the transaction because `handle()` is called inside of it.
      transaction(this.#db, () => lastValueFrom(next.handle(), { defaultValue: undefined }), {
        // What a handler throws rolls back anyway; this is for those that set a status.
        commitIf: () => response.statusCode < 400,
      }),
    )
  }
}

// @Controller()
export class AccountController {
  readonly #db: Kysely<Database>

  // constructor(@Inject(DB) db)
  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  // @Post('accounts') open(@Body() body)
  async open({ owner, balance, invitedBy = '' }: Record<string, any>): Promise<object> {
    await openAccount(this.#db, owner, balance)
    // A savepoint: whoever invites and cannot pay does not keep the account from being opened.
    const bonus = await transfer(this.#db, invitedBy, owner, 10).then(
      () => true,
      () => false,
    )
    return { owner, bonus }
  }

  // @Post('transfers') transfer(@Body() body)
  async transfer({ from: payer, to, amount }: Record<string, any>): Promise<object> {
    await add(this.#db, to, amount)
    if ((await add(this.#db, payer, -amount)) < 0) throw new ConflictException('too little')
    return { from: payer, to, amount }
  }
}

Inject(DB)(AccountController, undefined, 0)
for (const [method, path] of [
  ['open', 'accounts'],
  ['transfer', 'transfers'],
] as const) {
  const { prototype } = AccountController
  Post(path)(prototype, method, Object.getOwnPropertyDescriptor(prototype, method)!)
  Body()(prototype, method, 0)
}
Controller()(AccountController)

export async function createApp(db: Kysely<Database>): Promise<INestApplication> {
  // @Module({ ... })
  class AppModule {}
  Module({
    controllers: [AccountController],
    providers: [
      { provide: DB, useValue: db },
      {
        provide: APP_INTERCEPTOR,
        useFactory: (kysely: Kysely<Database>) => new TransactionInterceptor(kysely),
        inject: [DB],
      },
    ],
  })(AppModule)
  return NestFactory.create(AppModule, { logger: false })
}

if (import.meta.main) {
  const db = await openDatabase()
  const app = await createApp(db)
  await app.listen(3000)
  console.log('http://localhost:3000; Ctrl-C ends it. For example:')
  console.log(
    `curl -d '{"owner":"Ada","balance":100}' -H 'content-type: application/json' localhost:3000/accounts`,
  )
  process.once('SIGINT', () => void app.close().then(() => db.destroy()))
}
