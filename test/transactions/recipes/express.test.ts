import { createApp } from '../../../examples/transactions/express.ts'
import { describeRecipe } from './describe-recipe.ts'
import { serve } from './serve.ts'

describeRecipe('Express', (db) => serve(createApp(db)))
