import { Controller, Module, Post, Res } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { expect, onTestFinished, test } from 'vitest'
import { openAccount } from '../../../examples/transactions/accounts.ts'
import { createApp, TransactionInterceptor } from '../../../examples/transactions/nestjs.ts'
import { describeRecipe, engines, openRecipeDatabase } from './describe-recipe.ts'
import { serve } from './serve.ts'

describeRecipe('NestJS', async (db) => {
  const app = await createApp(db)
  await app.init()
  onTestFinished(() => app.close())
  return serve(app.getHttpAdapter().getInstance())
})

test('undoes what a handler has written that only sets a status', async () => {
  const { db, accounts } = await openRecipeDatabase(engines[0]!)
  class StatusController {
    async refuse(response: { status(code: number): void }): Promise<object> {
      await openAccount(db, 'Ada', 1)
      response.status(409)
      return { error: 'refused' }
    }
  }
  const { prototype } = StatusController
  Post()(prototype, 'refuse', Object.getOwnPropertyDescriptor(prototype, 'refuse')!)
  Res({ passthrough: true })(prototype, 'refuse', 0)
  Controller()(StatusController)
  class StatusModule {}
  Module({ controllers: [StatusController] })(StatusModule)
  const app = await NestFactory.create(StatusModule, { logger: false })
  app.useGlobalInterceptors(new TransactionInterceptor(db))
  await app.init()
  onTestFinished(() => app.close())
  const send = await serve(app.getHttpAdapter().getInstance())
  expect(await send('/', {})).toEqual({ status: 409, body: { error: 'refused' } })
  expect(await accounts()).toEqual({})
})
